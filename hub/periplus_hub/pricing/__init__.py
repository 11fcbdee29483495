"""What traffic costs: price books, path classes, billing legs, attribution.

Bytes are priced once: what an edge carried each way is classed by the way it took, each class causes the billing legs
that its provider charges for it, and each leg is somebody's. Money is exact: quantities are split first, in whole
bytes, and never rounded before they are shown.
"""
