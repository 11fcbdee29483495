// Command observer is one node of a Cilium that has no data path: Cilium's own Hubble server, parser and ring buffer,
// fed with what the eBPF programs, the proxy and the agent of a node would hand over. It also tells a relay of its
// peers. Everything is given to it line by line over a Unix socket; see control.go.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/cilium/cilium/pkg/hubble/container"
	"github.com/cilium/cilium/pkg/hubble/observer"
	"github.com/cilium/cilium/pkg/hubble/observer/namespace"
	"github.com/cilium/cilium/pkg/hubble/observer/observeroption"
	"github.com/cilium/cilium/pkg/hubble/server"
	"github.com/cilium/cilium/pkg/hubble/server/serveroption"
	nodeTypes "github.com/cilium/cilium/pkg/node/types"
	"github.com/cilium/cilium/pkg/option"
)

func main() {
	cluster := flag.String("cluster", "default", "name of the cluster")
	name := flag.String("node", "", "name of the node")
	listen := flag.String("listen", "", "address of the Hubble server")
	control := flag.String("control", "", "Unix socket that is told what happens")
	ring := flag.Int("ring", 4095, "how many events are kept; one less than a power of two")
	flag.Parse()
	option.Config.ClusterName = *cluster
	nodeTypes.SetName(*name)
	if err := run(*listen, *control, *ring); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(listen, control string, ring int) error {
	logger, readers := newLogger()
	capacity, err := container.NewCapacity(ring)
	if err != nil {
		return err
	}
	node := newNode()
	decoder, err := newDecoder(logger, node)
	if err != nil {
		return err
	}
	// Without a buffer, an event that is taken says that the one before it is in the ring.
	observing, err := observer.NewLocalServer(decoder, namespace.NewManager(), logger,
		observeroption.WithMaxFlows(capacity), observeroption.WithMonitorBuffer(0))
	if err != nil {
		return err
	}
	go observing.Start()
	peers := &peers{changed: make(chan struct{})}
	to := &commands{node, decoder, observing.GetEventsChannel(), peers, readers}
	to.fill(0)
	serving, err := server.NewServer(logger, serveroption.WithTCPListener(listen), serveroption.WithInsecure(),
		serveroption.WithHealthService(), serveroption.WithObserverService(observing), serveroption.WithPeerService(peers))
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- serving.Serve() }()
	go func() { failed <- obey(control, to) }()
	return <-failed
}
