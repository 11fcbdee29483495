"""Which services hosts are names of: those of DNS in a cluster and in a clusterset. Any other host is a name alone.

`pay.shop.svc.cluster.local` is a service of the cluster in which the name is used, and `pay.shop.svc.clusterset.local`
one of the clusters that export it there. Before either may stand the name of a pod, and in a clusterset that of a pod
and its cluster. A cluster whose domain has another name has names that mean nothing here.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from periplus_hub.flows.engine.columns import END_PARTS, UUID_BYTES, Flags, Ints, joined, uuid_bytes
from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.model import NOBODY
from periplus_hub.flows.model_kinds import SERVICE
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN

_NAME: Final = (
    r"^(?:(?:[^.]+\.)?(?P<here>[^.]+\.[^.]+)\.svc\.cluster\.local"
    r"|(?:[^.]+\.(?P<member>[^.]+)\.)?(?P<anywhere>[^.]+\.[^.]+)\.svc\.clusterset\.local)$"
)
_INNER: Final = r"\.svc\.(cluster|clusterset)\.local$"


@dataclass(frozen=True, slots=True)
class HostParts:
    """Of hosts, one by one: the service that each names, if any."""

    is_local: Flags
    is_of_set: Flags
    namespace: pa.Array
    service: pa.Array
    member: pa.Array
    """What the clusterset calls the cluster of a single pod."""

    @property
    def is_service(self) -> Flags:
        """Whether it names one."""
        return self.is_local | self.is_of_set

    def take(self, rows: Ints) -> "HostParts":
        """Only these."""
        texts = (each.take(pa.array(rows)) for each in (self.namespace, self.service, self.member))
        return HostParts(self.is_local[rows], self.is_of_set[rows], *texts)


def parts_of(hosts: pa.Array) -> HostParts:
    """Read them."""
    encoded = hosts.dictionary_encode()
    found = pc.extract_regex(encoded.dictionary, _NAME)
    here, member, anywhere = (pc.fill_null(pc.struct_field(found, name), "") for name in ("here", "member", "anywhere"))
    whole = pc.if_else(pc.equal(here, ""), anywhere, here)
    service, namespace = (pc.replace_substring_regex(whole, pattern, "") for pattern in (r"\..*$", r"^.*\."))
    is_local, is_of_set = (np.asarray(pc.not_equal(each, "")) for each in (here, anywhere))
    return HostParts(is_local, is_of_set, namespace, service, member).take(np.asarray(encoded.indices).astype(np.int64))


def is_inner(hosts: pa.Array) -> pa.Array:
    """Whether they mean something inside of clusters only, whoever they are of."""
    return pc.match_substring_regex(hosts, _INNER)


class HostServices:
    """The services of an hour, and who exports which."""

    def __init__(self, owners: Owners, ports: pa.Table, exports: pa.Table) -> None:
        """`ports` as the inventory has them, `exports` as `repository_exports`."""
        self._owners = owners
        self._ids = pa.array([*(each.bytes for each in owners.clusters), NOBODY.bytes], UUID_BYTES)
        self._ends = _services(owners, ports)
        self._keys = _keys(*(self._ends.column(name) for name in ("owner", "of_namespace", "of_service")))
        self._exports = _Exports(owners, exports)

    def at(self, cluster: Ints, named: HostParts) -> Ints:
        """The numbers of the named services in these clusters; UNKNOWN where a cluster has none so called."""
        found = pc.index_in(_keys(self.cluster_ids(cluster), named.namespace, named.service), self._keys)
        return np.asarray(pc.fill_null(found, UNKNOWN)).astype(np.int64)

    def cluster_ids(self, cluster: Ints) -> pa.Array:
        """The 16 bytes of each; of nobody below 0."""
        return self._ids.take(pa.array(np.where(cluster < 0, len(self._ids) - 1, cluster)))

    def is_in(self, viewer: Ints, cluster: Ints, named: HostParts) -> Flags:
        """Whether these clusters have the named services, as seen from where the names are used."""
        has_it = named.is_local & (self.at(cluster, named) != UNKNOWN)
        exports_it = named.is_of_set & self._exports.has(self._exports.groups(viewer, named), cluster)
        found: Flags = has_it | exports_it
        return found

    def anywhere(self, viewer: Ints, named: HostParts) -> Ints:
        """The clusters that are meant where nothing but the name is known; UNKNOWN, or AMBIGUOUS between several."""
        own = np.where(self.at(viewer, named) == UNKNOWN, UNKNOWN, viewer)
        exporter = self._exports.only(self._exports.groups(viewer, named))
        return np.where(named.is_of_set, exporter, np.where(named.is_local, own, UNKNOWN)).astype(np.int64)

    def exporters(self, viewer: int, named: HostParts) -> list[int]:
        """All known clusters that export one service, the first of `named`."""
        return self._exports.members(int(self._exports.groups(np.array([viewer]), named)[0]))

    def ends(self, cluster: Ints, named: HostParts) -> dict[str, pa.Array]:
        """Who they are there: the workload behind the service where that is one alone, else the service."""
        number = self.at(cluster, named)
        known = self._ends.take(pa.array(np.maximum(number, 0), mask=number < 0))
        itself = {"namespace": named.namespace, "kind": pa.scalar(SERVICE), "workload": named.service}
        return {
            "owner": self.cluster_ids(cluster),
            **{name: pc.coalesce(known.column(name).combine_chunks(), each) for name, each in itself.items()},
        }


class _Exports:
    """Which clusters export which services, as others import them."""

    def __init__(self, owners: Owners, exports: pa.Table) -> None:
        told = exports.append_column("of", pa.array([""] * exports.num_rows, pa.string()))
        one = exports.append_column("of", exports.column("member"))
        rows = pa.concat_tables([told, one])
        viewer = uuid_bytes(rows.column("viewer"))
        encoded = _keys(viewer, *(rows.column(name) for name in ("namespace", "service", "of"))).dictionary_encode()
        self._owners = owners
        self._ids = pa.array([*(each.bytes for each in owners.clusters), NOBODY.bytes], UUID_BYTES)
        self._groups = encoded.dictionary
        group = np.asarray(encoded.indices).astype(np.int64)
        numbers = [owners.clusters.get(UUID(each), UNKNOWN) for each in rows.column("whose").to_pylist()]
        self._pairs = np.unique(group * self._step + np.array(numbers, dtype=np.int64) + 1)

    @property
    def _step(self) -> int:
        return len(self._ids) + 1

    def groups(self, viewer: Ints, named: HostParts) -> Ints:
        """A number for each service, as imported by these clusters; UNKNOWN for none."""
        ids = self._ids.take(pa.array(np.where(viewer < 0, len(self._ids) - 1, viewer)))
        found = pc.index_in(_keys(ids, named.namespace, named.service, named.member), self._groups)
        return np.asarray(pc.fill_null(found, UNKNOWN)).astype(np.int64)

    def has(self, group: Ints, cluster: Ints) -> Flags:
        """Whether the cluster is among those that export it."""
        found: Flags = np.isin(group * self._step + cluster + 1, self._pairs) & (group >= 0) & (cluster >= 0)
        return found

    def only(self, group: Ints) -> Ints:
        """The one cluster that exports it; AMBIGUOUS of several, also if not all are known."""
        of, cluster = self._pairs // self._step, self._pairs % self._step - 1
        count, known, first = (np.zeros(len(self._groups) + 1, dtype=np.int64) for _ in range(3))
        np.add.at(count, of, 1)
        np.add.at(known, of, cluster >= 0)
        first[of] = cluster
        found = np.where(known == 0, UNKNOWN, np.where(count == 1, first, AMBIGUOUS))
        return found[np.where(group < 0, len(self._groups), group)]

    def members(self, group: int) -> list[int]:
        """Those that are known."""
        mine = self._pairs[self._pairs // self._step == group] % self._step - 1
        return [] if group < 0 else [each for each in mine.tolist() if each >= 0]


def _services(owners: Owners, ports: pa.Table) -> pa.Table:
    """Each service once, with who is behind it: of inventory that has its addresses, or its ports."""
    names = owners.names.rows
    addressed = names.filter(pc.equal(names.column("kind"), SERVICE))
    listed = ports.filter(pc.equal(ports.column("kind"), SERVICE))
    behind = pa.table(
        {
            "owner": uuid_bytes(listed.column("registration_id")),
            **{name: listed.column(f"to_{name}") for name in END_PARTS[1:]},
            "of_namespace": listed.column("namespace"),
            "of_service": listed.column("workload"),
        }
    )
    own_names = (("of_namespace", "namespace"), ("of_service", "workload"))
    itself = pa.table(
        {name: addressed.column(name) for name in END_PARTS} | {to: addressed.column(of) for to, of in own_names}
    )
    keys = ["owner", "of_namespace", "of_service"]
    grouped = behind.group_by([*keys, *END_PARTS[1:]]).aggregate([]).group_by(keys)
    alone = grouped.aggregate([("kind", "count"), *((name, "min") for name in END_PARTS[1:])])
    is_one = pc.equal(alone.column("kind_count"), 1)
    replaced = {
        "namespace": pc.if_else(is_one, alone.column("namespace_min"), alone.column("of_namespace")),
        "kind": pc.if_else(is_one, alone.column("kind_min"), SERVICE),
        "workload": pc.if_else(is_one, alone.column("workload_min"), alone.column("of_service")),
    }
    first = pa.table({name: alone.column(name) for name in keys} | replaced).select(itself.column_names)
    return pa.concat_tables([first, itself.cast(first.schema)]).combine_chunks()


def _keys(*parts: pa.Array | pa.ChunkedArray) -> pa.Array:
    whole = (each.combine_chunks() if isinstance(each, pa.ChunkedArray) else each for each in parts)
    return joined(each.cast(pa.string()) if pa.types.is_dictionary(each.type) else each for each in whole)
