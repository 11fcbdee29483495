"""The overlap report: what scripts and people read."""

import io
import json
from dataclasses import replace
from typing import Any

from periplus_hub.api.cli.report import (
    ClusterLine,
    ClusterState,
    CountLine,
    GroupLine,
    HitLine,
    MemberLine,
    MissingLine,
    MoveLine,
    Report,
    Severity,
    alike_together,
    sort_groups,
)
from periplus_hub.api.cli.report_text import print_report
from periplus_hub.api.cli.rich_text import Console


def hit(owner: str, severity: Severity, *kinds: str, network: str = "") -> HitLine:
    return HitLine(
        cluster=owner, network_domain=network or owner, severity=severity, kinds=kinds or ("pod",), member_count=1
    )


def group(cidr: str, severity: Severity, *owners: str, kind: str = "pod", count: int | None = None) -> GroupLine:
    members = tuple(MemberLine(cluster=owner, kind=kind, cidr=cidr, severity=severity) for owner in owners)
    return GroupLine(
        cidr=cidr,
        family=4,
        severity=severity,
        members=members,
        member_count=count or len(members),
        clusters=tuple(hit(owner, severity, kind) for owner in owners),
        cluster_count=len(owners),
        cluster_counts=(CountLine(severity=severity, clusters=len(owners)),),
        breaks=(f"{kind} traffic",),
        remedies=("Renumber one.",),
    )


def cluster(name: str, state: ClusterState = ClusterState.COMPLETE, pods: int | None = 3, **more: str) -> ClusterLine:
    return ClusterLine(name=name, context=name, state=state, nodes=1, pods=pods, services=2, **more)


def printed(report: Report, width: int = 120) -> str:
    out = io.StringIO()
    print_report(report, Console(file=out, width=width, color_system=None, highlight=False))
    return out.getvalue()


def test_the_worst_and_widest_group_comes_first() -> None:
    latent = group("10.1.0.0/16", Severity.LATENT, "a", "b", count=9)
    small = group("10.2.0.0/16", Severity.CONFLICT, "a", "b")
    wide = group("10.3.0.0/16", Severity.CONFLICT, "a", "b", "c")
    assert sort_groups([latent, small, wide]) == (wide, small, latent)


def test_groups_with_one_story_stand_together_and_others_do_not() -> None:
    first = group("10.0.0.0/24", Severity.LATENT, "a", "b")
    alike = group("10.0.1.0/24", Severity.LATENT, "b", "a")
    worse = group("10.0.2.0/24", Severity.CONFLICT, "a", "b")
    other = group("10.0.3.0/24", Severity.LATENT, "a", "c")
    kind = group("10.0.4.0/24", Severity.LATENT, "a", "b", kind="node")
    assert alike_together([first, alike, worse, other, kind]) == [
        (first, ("10.0.0.0/24", "10.0.1.0/24")),
        (worse, ("10.0.2.0/24",)),
        (other, ("10.0.3.0/24",)),
        (kind, ("10.0.4.0/24",)),
    ]


def test_at_least_counts_worse_ones_in() -> None:
    report = Report(clusters=(), groups=(group("10.0.0.0/8", Severity.BLOCKS_FEDERATION, "a", "b"),))
    assert report.at_least(Severity.LATENT)
    assert report.at_least(Severity.BLOCKS_FEDERATION)
    assert not report.at_least(Severity.CONFLICT)


def test_the_document_has_the_promised_members() -> None:
    report = Report(clusters=(cluster("a", pods=None),), groups=(group("10.0.0.0/8", Severity.LATENT, "a", "b"),))
    document = json.loads(json.dumps(report.document()))
    line = document["clusters"][0]
    assert {"name", "context", "state", "reason", "nodes", "pods", "services"} <= line.keys()
    assert line["pods"] is None
    found = document["overlapGroups"][0]
    assert found["cidr"] == "10.0.0.0/8"
    assert found["family"] == 4
    assert found["severity"] == "latent"
    both = ("a", "b")
    own = {"severity": "latent", "memberCount": 1}
    assert found["members"] == [
        {
            "cluster": name,
            "kind": "pod",
            "cidr": "10.0.0.0/8",
            "severity": "latent",
            "node": "",
            "source": "",
            "name": "",
            "quality": "",
            "claim": True,
            "reach": "",
        }
        for name in both
    ]
    assert found["clusters"] == [{"cluster": name, "networkDomain": name, "kinds": ["pod"], **own} for name in both]
    assert document["summary"] == {"conflict": 0, "blocks-federation": 0, "latent": 1, "intended": 0}


def test_a_person_sees_severity_owners_consequence_and_remedy() -> None:
    text = printed(
        Report(
            clusters=(cluster("a"), cluster("b")),
            groups=(group("10.0.0.0/8", Severity.CONFLICT, "a", "b"),),
            joined=True,
        )
    )
    for part in (
        "CONFLICT",
        "10.0.0.0/8",
        "a (pod) · b (pod)",
        "pod traffic",
        "Renumber one.",
        "2 of 2 clusters complete",
    ):
        assert part in text
    assert "as if these clusters were joined" in text


def test_who_named_a_range_and_how_well_it_is_known_stands_beside_it() -> None:
    both = group("192.168.0.0/16", Severity.CONFLICT, "north", "south")
    pool, nodes, milder = (
        MemberLine(cluster=cluster, kind="pod", cidr="192.168.0.0/16", severity=severity, **told)
        for cluster, severity, told in (
            ("north", Severity.CONFLICT, {"source": "IPPool", "name": "default-ipv4-ippool", "quality": "exact"}),
            ("south", Severity.CONFLICT, {"source": "nodes", "node": "s1", "quality": "derived"}),
            ("west", Severity.LATENT, {"source": "kubeadm-config", "quality": "nominal"}),
        )
    )
    others = [replace(nodes, node=f"s{number}") for number in (2, 3, 4)]
    text = printed(Report(clusters=(), groups=(replace(both, members=(pool, nodes, *others, milder)),)))
    assert "north: IPPool default-ipv4-ippool (exact)" in text
    assert "south: nodes s1, s2, s3 and 1 more (derived)" in text
    assert "kubeadm-config" not in text


def test_what_nodes_hold_of_a_range_that_their_cluster_names_is_not_named_again() -> None:
    both = group("10.42.0.0/16", Severity.CONFLICT, "north", "south")
    members = [
        MemberLine(cluster=cluster, kind=kind, cidr=cidr, severity=Severity.CONFLICT, **told)
        for cluster, kind, cidr, told in (
            ("north", "pod", "10.42.0.0/16", {"source": "k3s server", "quality": "derived"}),
            ("north", "pod", "10.42.1.0/24", {"source": "nodes", "node": "n1", "quality": "exact"}),
            ("north", "node", "10.42.9.9/32", {"source": "nodes", "node": "n2", "quality": "exact"}),
            ("north", "pod", "10.43.0.7/32", {"source": "pods", "name": "vpc", "quality": "seen", "claim": False}),
            ("south", "pod", "10.42.2.0/24", {"source": "nodes", "node": "s1", "quality": "exact"}),
        )
    ]
    text = printed(Report(clusters=(), groups=(replace(both, members=tuple(members)),)))
    assert "n1" not in text
    for line in ("north: k3s server", "north: nodes n2", "north: pods vpc (seen)", "south: nodes s1"):
        assert line in text


def mixed(**changes: Any) -> GroupLine:
    conflict = group("10.0.0.0/16", Severity.CONFLICT, "shop", "crm")
    clusters = (*conflict.clusters, hit("lab", Severity.BLOCKS_FEDERATION), hit("hr", Severity.LATENT, "pod", "node"))
    counts = ((Severity.CONFLICT, 2), (Severity.BLOCKS_FEDERATION, 1), (Severity.LATENT, 1))
    return replace(conflict, **{"clusters": clusters, "cluster_counts": counted(*counts), **changes})


def counted(*counts: tuple[Severity, int]) -> tuple[CountLine, ...]:
    return tuple(CountLine(severity=severity, clusters=clusters) for severity, clusters in counts)


def test_whom_a_group_hurts_less_stands_apart() -> None:
    lines = [line.strip() for line in printed(Report(clusters=(), groups=(mixed(),))).splitlines()]
    start = lines.index("10.0.0.0/16   crm (pod) · shop (pod)")
    assert lines[start + 1 : start + 5] == [
        "breaks            pod traffic",
        "do                Renumber one.",
        "also unjoinable:  lab (pod)",
        "also latent for:  hr (pod, node)",
    ]


def test_long_lists_wrap_beside_their_label_on_a_narrow_terminal() -> None:
    owners = [f"cluster-with-a-name-{number}" for number in range(6)]
    text = printed(Report(clusters=(), groups=(group("10.0.0.0/16", Severity.CONFLICT, *owners),)), width=70)
    lines = text.splitlines()
    start = lines.index("10.0.0.0/16")
    assert lines[start + 1].startswith("    between           cluster-with-a-name-0 (pod) ·")
    assert lines[start + 2].startswith(" " * 22 + "cluster-with-a-name-")
    assert max(map(len, lines)) <= 70


def test_groups_that_hurt_others_differently_do_not_stand_together() -> None:
    other = mixed(clusters=(*mixed().clusters[:-1], hit("hr", Severity.BLOCKS_FEDERATION, "pod", "node")))
    assert len(alike_together([mixed(), other])) == 2


def test_clusters_beyond_the_report_are_counted_where_they_belong() -> None:
    counts = counted((Severity.CONFLICT, 102), (Severity.BLOCKS_FEDERATION, 1), (Severity.LATENT, 1_001))
    text = printed(Report(clusters=(), groups=(mixed(cluster_counts=counts),)))
    assert "crm (pod) · shop (pod) · and 100 more\n" in text
    assert "also unjoinable:  lab (pod)" in text
    assert "hr (pod, node) · and 1,000 more" in text
    worst = mixed(cluster_counts=counts, clusters=mixed().clusters[:2])
    assert "also latent for:  1,001 clusters" in printed(Report(clusters=(), groups=(worst,)))


def moving(cidr: str, free: str | None = "10.9.0.0/21", count: int = 1) -> GroupLine:
    """A group in which b has to move its pods."""
    why = "3 node blocks of /24, growth 2" if free else "no room in private space for a /21: 3 node blocks of /24"
    move = MoveLine(cluster="b", kind="pod", cidr=free, why=why)
    return replace(group(cidr, Severity.LATENT, "a", "b"), moves=(move,), move_count=count)


def test_a_free_range_says_for_what_and_for_whom_it_is() -> None:
    both = (cluster("a"), cluster("b"))
    text = printed(Report(clusters=both, groups=(moving("10.0.0.0/16"),)))
    assert "    free              10.9.0.0/21 for the pods of b: 3 node blocks of /24, growth 2\n" in text
    folded = printed(Report(clusters=both, groups=(moving("10.0.0.0/16"), moving("10.1.0.0/16"))))
    assert folded.count("10.9.0.0/21 for the pods of b") == 1
    none = printed(Report(clusters=both, groups=(moving("10.0.0.0/16", None),)))
    assert "no free range for the pods of b: no room in private space for a /21" in none
    many = printed(Report(clusters=both, groups=(moving("10.0.0.0/16", count=40),)))
    assert "and 39 more ranges have to change" in many


def test_a_free_range_is_qualified_while_not_all_is_known() -> None:
    many = replace(moving("10.0.0.0/16"), free_ranges_not_known_of=tuple("cdefg"), free_ranges_not_known_count=12)
    text = printed(Report(clusters=(), groups=(many,)))
    assert "10.9.0.0/21 for the pods of b, as far as is known: 3 node blocks" in text
    assert "free ranges: whether they are free is not known of c, d, e, f and 8 more\n" in text
    few = replace(moving("10.0.0.0/16"), free_ranges_not_known_of=("c", "d"), free_ranges_not_known_count=2)
    none = group("10.2.0.0/16", Severity.LATENT, "a", "b")
    assert printed(Report(clusters=(), groups=(none, few))).count("whether they are free is not known of c, d\n") == 1
    assert "as far as is known" not in printed(Report(clusters=(), groups=(moving("10.0.0.0/16"), none)))


def test_the_summary_counts_stories_and_their_ranges() -> None:
    groups = tuple(group(f"10.0.{number}.0/24", Severity.LATENT, "a", "b") for number in range(7))
    text = printed(Report(clusters=(), groups=(*groups, group("10.1.0.0/16", Severity.CONFLICT, "a", "b"))))
    assert "1 conflict · 1 latent (7 ranges)" in text


def test_a_cluster_that_failed_says_why_and_what_to_do() -> None:
    broken = cluster(
        "b",
        ClusterState.UNREAD,
        None,
        reason="unreachable",
        message="10.0.0.1:6443 refuses [odd] connections",
        remedy="Start it.",
    )
    text = printed(Report(clusters=(cluster("a"), broken), groups=()))
    assert "b: 10.0.0.1:6443 refuses [odd] connections [unreachable]" in text
    assert "→ Start it." in text
    assert "1 of 2 clusters complete" in text
    assert "no overlap in what is known, which is not all" in text
    assert "not known: b (unread: unreachable)" in text


def test_a_cluster_that_waits_for_approval_is_said_to_once() -> None:
    waiting = cluster(
        "b", ClusterState.PENDING, None, reason="pending", message="it waits for approval", remedy="Look."
    )
    assert "not known: b (pending)\n" in printed(Report(clusters=(cluster("a"), waiting), groups=()))


def test_a_name_stays_whole_on_a_narrow_terminal() -> None:
    name = "analytics-eemshaven"
    line = cluster(name, provider="gcp", region="europe-west4", version="v1.35.3-gke.1100")
    assert name in printed(Report(clusters=(line,), groups=()), width=80)


def test_unknown_counts_are_not_zero() -> None:
    assert "?" in printed(Report(clusters=(cluster("a", pods=None),), groups=()))


def test_many_ranges_and_owners_are_cut_with_a_count() -> None:
    owners = [f"cluster-{number:02}" for number in range(20)]
    groups = tuple(group(f"10.0.{number}.0/24", Severity.LATENT, *owners) for number in range(9))
    text = printed(Report(clusters=(), groups=groups))
    assert "10.0.0.0/20 (9 ranges in it, from 10.0.0.0/24)" in text
    assert "and 8 more" in text


def test_one_cluster_is_no_plural_and_none_has_no_table() -> None:
    assert "1 of 1 cluster complete" in printed(Report(clusters=(cluster("a"),), groups=()))
    nothing = printed(Report(clusters=(), groups=()))
    assert "CLUSTER" not in nothing
    assert "0 of 0 clusters complete · nothing to compare yet" in nothing


def test_a_cluster_alone_is_looked_at_for_what_it_does_wrong_with_itself() -> None:
    alone = printed(Report(clusters=(cluster("a"),), groups=()))
    assert "no overlapping address ranges inside it, and no other cluster to compare it with yet" in alone
    fault = Report(clusters=(cluster("a"),), groups=(group("10.0.0.0/16", Severity.CONFLICT, "a"),))
    assert "1 of 1 cluster complete · 1 conflict" in printed(fault)
    assert "to compare" not in printed(fault)
    assert fault.at_least(Severity.CONFLICT)


def test_no_list_of_remedies_begins_with_or() -> None:
    own = {"pod": ("Renumber a.",), "service": ("Or renumber b.", "Or rebuild b.")}
    groups = tuple(
        replace(
            group("10.1.0.0/16", Severity.CONFLICT, "a", "b", kind=kind),
            remedies=(*first, "Or connect them through NAT.", "Accept it."),
        )
        for kind, first in own.items()
    )
    text = printed(Report(clusters=(cluster("a"), cluster("b")), groups=groups))
    assert "Renumber b." in text
    assert "Or renumber b." not in text
    assert "Or rebuild b." in text
    assert "• Connect them through NAT." in text
    assert "• Accept it." in text


def test_a_silent_cluster_that_was_incomplete_before_names_what_is_missing_too() -> None:
    missing = (MissingLine(source="nodes", state="forbidden", reason="forbidden", message="", remedy=""),)
    silent = replace(cluster("lab", ClusterState.STALE, last_heard="2026-11-29T12:00:00Z"), missing=missing)
    (unknown,) = Report(clusters=(silent,), groups=()).unknown()
    assert unknown == "lab (stale, last heard 2026-11-29 12:00 UTC; without nodes)"
