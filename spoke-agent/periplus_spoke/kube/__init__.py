"""The Kubernetes API, thinly: credentials, pages, watches, discovery, access reviews, and errors with a remedy.

The only importer of kubernetes_asyncio. Importing this package puts slim stand-ins in front of it; see `slim_library`.
"""

from periplus_spoke.kube.slim_library import register

register()
