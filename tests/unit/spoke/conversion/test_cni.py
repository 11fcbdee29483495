"""A plugin is named when it has left a sign, and only then."""

import pytest

from periplus_spoke.conversion.cidr import ImpossibleCidr, exact_cover, parse_address, parse_cidr, single
from periplus_spoke.conversion.cni import detect, node_signs, uses_pod_cidr
from periplus_spoke.conversion.objects import Node

from tests.support.decoding import decode
from tests.support.kube_objects import node


def test_no_sign_is_unknown() -> None:
    assert detect({}, (), [], has_cilium_config=False) == ("unknown",)
    assert uses_pod_cidr(("unknown",), {}) is None


@pytest.mark.parametrize(
    ("groups", "cni"),
    [
        ({"crd.projectcalico.org": ("v1",)}, "calico"),
        ({"kubeovn.io": ("v1",)}, "kube-ovn"),
        ({"acn.azure.com": ("v1alpha",)}, "azure-cni"),
        ({"crd.antrea.io": ("v1beta1",)}, "antrea"),
    ],
)
def test_groups(groups: dict[str, tuple[str, ...]], cni: str) -> None:
    assert detect(groups, (), [], has_cilium_config=False) == (cni,)


def test_cilium_needs_more_than_its_group() -> None:
    groups = {"cilium.io": ("v2", "v2alpha1")}
    agent = [("kube-system", "cilium")]
    assert detect(groups, (), [("default", "web")], has_cilium_config=False) == ("unknown",)
    assert detect({"cilium.io": ("v1alpha1",)}, (), None, has_cilium_config=None) == ("unknown",)
    assert detect(groups, (), [], has_cilium_config=True) == ("cilium",)
    assert detect(groups, (), agent, has_cilium_config=False) == ("cilium",)
    assert detect(groups, (), None, has_cilium_config=None) == ("cilium",)


def test_aws_groups_count_only_where_daemonsets_cannot_be_seen() -> None:
    groups = {"vpcresources.k8s.aws": ("v1alpha1",)}
    assert detect(groups, (), None, has_cilium_config=False) == ("aws-vpc-cni",)
    assert detect(groups, (), [("kube-system", "kube-proxy")], has_cilium_config=False) == ("unknown",)
    assert detect(groups, (), [("kube-system", "aws-node")], has_cilium_config=False) == ("aws-vpc-cni",)


def test_a_daemonset_of_a_users_namespace_is_no_sign() -> None:
    assert detect({}, (), [("team-a", "cilium")], has_cilium_config=False) == ("unknown",)


def test_marks_on_nodes() -> None:
    marked = node(
        "n",
        labels={"cloud.google.com/gke-nodepool": "p"},
        annotations={"flannel.alpha.coreos.com/kube-subnet-manager": "true", "k8s.ovn.org/node-subnets": "{}"},
    )
    assert node_signs(decode(Node, marked)) == ("flannel", "ovn-kubernetes", "gke")
    assert node_signs(decode(Node, node("n", annotations={"projectcalico.org/IPv4Address": "x"}))) == ("calico",)


def test_who_uses_node_ranges() -> None:
    assert uses_pod_cidr(("flannel",), {}) is True
    assert uses_pod_cidr(("calico", "flannel"), {}) is True
    assert uses_pod_cidr(("calico",), {}) is False
    assert uses_pod_cidr(("cilium",), {"kube-system/cilium-config": {"ipam": "kubernetes"}}) is True
    assert uses_pod_cidr(("cilium",), {}) is False


@pytest.mark.parametrize(
    ("ipam", "uses"),
    [
        ('"ipam": {"type": "host-local", "subnet": "usePodCidr"}, "mtu": __CNI_MTU__', True),
        ('"ipam": {"type": "calico-ipam"}, "mtu": __CNI_MTU__', False),
    ],
)
@pytest.mark.parametrize("name", ["kube-system/calico-config", "kube-system/canal-config"])
def test_calico_may_hand_out_node_ranges(name: str, ipam: str, uses: bool) -> None:
    assert uses_pod_cidr(("calico",), {name: {"cni_network_config": ipam}}) is uses


@pytest.mark.parametrize("text", ["10.0.0.1/8", "0.0.0.0/0", "::/0", "::ffff:10.0.0.0/104", "10.0.0.0", "", "x" * 500])
def test_impossible_ranges(text: str) -> None:
    with pytest.raises(ImpossibleCidr) as caught:
        parse_cidr(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["10.0.0.256", "fe80::1%eth0", "::ffff:10.0.0.1", ""])
def test_impossible_addresses(text: str) -> None:
    with pytest.raises(ImpossibleCidr):
        parse_address(text)


def test_an_exact_cover_is_minimal_and_canonical() -> None:
    blocks = exact_cover(map(parse_address, ("10.0.0.2", "10.0.0.3", "10.0.0.4", "fd00::1", "fd00::2", "fd00::2")))
    assert [str(block) for block in blocks] == ["10.0.0.2/31", "10.0.0.4/32", "fd00::1/128", "fd00::2/128"]
    assert single(parse_address("10.0.0.1")) == "10.0.0.1/32"
