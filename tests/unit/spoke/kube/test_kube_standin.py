"""ADR 0004: the client library is used without its seven hundred model modules."""

import subprocess
import sys

PROGRAM = """
import sys
import periplus_spoke.kube.client, periplus_spoke.kube.credentials, periplus_spoke.kube.kubeconfig
import periplus_spoke.kube.reflector, periplus_spoke.collectors.cluster_collectors
print(sum(name.startswith("kubernetes_asyncio.client.models.") for name in sys.modules))
print(sum(name.startswith("kubernetes_asyncio") for name in sys.modules))
"""


def test_no_model_module_is_ever_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    models, modules = map(int, done.stdout.split())
    assert models == 0
    assert modules < 20


def test_a_program_that_has_the_whole_package_keeps_it() -> None:
    program = "import kubernetes_asyncio.client as c, periplus_spoke.kube; assert c.CoreV1Api"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True)
