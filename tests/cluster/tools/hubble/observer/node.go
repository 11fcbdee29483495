package main

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/cilium/cilium/pkg/hubble/parser/getters"
	"github.com/cilium/cilium/pkg/hubble/testutils"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/ipcache"
	slim_corev1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/api/core/v1"
	slim_metav1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/policy"
	"github.com/cilium/cilium/pkg/policy/trafficdirection"
	policyTypes "github.com/cilium/cilium/pkg/policy/types"
	"github.com/cilium/cilium/pkg/u8proto"
)

// endpoint is a pod that runs on this node.
type endpoint struct {
	ID                              uint64
	IP, Namespace, Pod              string
	Identity                        uint32
	OwnerKind, OwnerName, Generated string
	PodLabels                       map[string]string
	Policies                        []rule
}

// rule is a policy that decides about connections of an endpoint to or from one port.
type rule struct {
	Ingress               bool
	Port                  uint16
	Protocol              uint8
	Kind, Name, Namespace string
}

// remote is an address that another node, cluster or nobody has.
type remote struct {
	IP, Namespace, Pod string
	Identity           uint32
}

// named is a security identity and its labels.
type named struct {
	ID     uint32
	Labels []string
}

// node is what an agent knows when it reads an event.
type node struct {
	mu         sync.Mutex
	endpoints  map[netip.Addr]*testutils.FakeEndpointInfo
	remotes    map[netip.Addr]remote
	identities map[uint32]*identity.Identity
}

func newNode() *node {
	return &node{
		endpoints:  map[netip.Addr]*testutils.FakeEndpointInfo{},
		remotes:    map[netip.Addr]remote{},
		identities: map[uint32]*identity.Identity{},
	}
}

func (n *node) addEndpoint(e *endpoint) error {
	address, err := netip.ParseAddr(e.IP)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	id, known := n.identities[e.Identity]
	if !known {
		return fmt.Errorf("identity %d is not known", e.Identity)
	}
	controls := true
	pod := &slim_corev1.Pod{ObjectMeta: slim_metav1.ObjectMeta{
		Name: e.Pod, Namespace: e.Namespace, GenerateName: e.Generated, Labels: e.PodLabels,
		OwnerReferences: []slim_metav1.OwnerReference{{Kind: e.OwnerKind, Name: e.OwnerName, Controller: &controls}},
	}}
	decided := map[policyTypes.Key]labels.LabelArrayListString{}
	for _, each := range e.Policies {
		decided[each.key()] = each.labels()
	}
	n.endpoints[address] = &testutils.FakeEndpointInfo{
		ID: e.ID, Identity: identity.NumericIdentity(e.Identity), PodName: e.Pod, PodNamespace: e.Namespace,
		Labels: id.Labels.GetModel(), Pod: pod, PolicyMap: decided,
	}
	return nil
}

func (r rule) key() policyTypes.Key {
	direction := trafficdirection.Egress
	if r.Ingress {
		direction = trafficdirection.Ingress
	}
	return policy.KeyForDirection(direction).WithPortProto(u8proto.U8proto(r.Protocol), r.Port)
}

func (r rule) labels() labels.LabelArrayListString {
	found := labels.LabelArray{
		labels.NewLabel("io.cilium.k8s.policy.derived-from", r.Kind, labels.LabelSourceK8s),
		labels.NewLabel("io.cilium.k8s.policy.name", r.Name, labels.LabelSourceK8s),
	}
	if r.Namespace != "" {
		found = append(found, labels.NewLabel("io.cilium.k8s.policy.namespace", r.Namespace, labels.LabelSourceK8s))
	}
	return labels.LabelArrayList{found.Sort()}.ArrayListString()
}

func (n *node) addRemote(r *remote) error {
	address, err := netip.ParseAddr(r.IP)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.remotes[address] = *r
	return nil
}

func (n *node) addIdentity(i *named) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.identities[i.ID] = identity.NewIdentity(identity.NumericIdentity(i.ID), labels.NewLabelsFromModel(i.Labels))
}

// GetEndpointInfo implements getters.EndpointGetter.
func (n *node) GetEndpointInfo(ip netip.Addr) (getters.EndpointInfo, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, ok := n.endpoints[ip]
	return found, ok
}

// GetEndpointInfoByID implements getters.EndpointGetter.
func (n *node) GetEndpointInfoByID(id uint16) (getters.EndpointInfo, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, each := range n.endpoints {
		if each.ID == uint64(id) {
			return each, true
		}
	}
	return nil, false
}

// GetIdentity implements getters.IdentityGetter.
func (n *node) GetIdentity(id uint32) (*identity.Identity, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if found, ok := n.identities[id]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("identity %d is not known", id)
}

// GetK8sMetadata implements getters.IPGetter.
func (n *node) GetK8sMetadata(ip netip.Addr) *ipcache.K8sMetadata {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, ok := n.remotes[ip]
	if !ok || found.Pod == "" {
		return nil
	}
	return &ipcache.K8sMetadata{Namespace: found.Namespace, PodName: found.Pod}
}

// LookupSecIDByIP implements getters.IPGetter.
func (n *node) LookupSecIDByIP(ip netip.Addr) (ipcache.Identity, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, ok := n.remotes[ip]
	return ipcache.Identity{ID: identity.NumericIdentity(found.Identity)}, ok
}
