package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	flowpb "github.com/cilium/cilium/api/v1/flow"
	peerpb "github.com/cilium/cilium/api/v1/peer"
	v1 "github.com/cilium/cilium/pkg/hubble/api/v1"
	observerTypes "github.com/cilium/cilium/pkg/hubble/observer/types"
	"github.com/cilium/cilium/pkg/hubble/parser"
	parserErrors "github.com/cilium/cilium/pkg/hubble/parser/errors"
	"github.com/cilium/cilium/pkg/hubble/testutils"
	monitorAPI "github.com/cilium/cilium/pkg/monitor/api"
	nodeTypes "github.com/cilium/cilium/pkg/node/types"
	"github.com/cilium/cilium/pkg/proxy/accesslog"
)

// command is one line of the socket; of its members one is set, and TimeNS beside an event.
type command struct {
	Endpoint *endpoint
	Remote   *remote
	Identity *named
	Peer     *struct{ Change, Name, Address string }
	// Perf is what an eBPF program writes into the ring of the kernel.
	Perf []byte
	// AccessLog is what the proxy tells of a request.
	AccessLog *accesslog.LogRecord
	Lost      *observerTypes.LostEvent
	// Flow is a finished flow.Flow: what a parser of another version might make of an event.
	Flow   []byte
	TimeNS int64
}

// answer is given once what was told is in the ring.
type answer struct {
	Error string `json:"error,omitempty"`
	// Readers is how many requests have ever begun to read the ring.
	Readers int64 `json:"readers"`
}

type commands struct {
	node    *node
	decoder *decoder
	events  chan<- *observerTypes.MonitorEvent
	peers   *peers
	readers *atomic.Int64
}

func obey(socket string, to *commands) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		if err := converse(connection, to); err != nil {
			return err
		}
	}
}

func converse(connection net.Conn, to *commands) error {
	defer connection.Close()
	lines := bufio.NewScanner(connection)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		said := answer{}
		if err := to.do(lines.Bytes()); err != nil {
			said.Error = err.Error()
		}
		said.Readers = to.readers.Load()
		if err := json.NewEncoder(connection).Encode(said); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (c *commands) do(line []byte) error {
	said := command{}
	if err := json.Unmarshal(line, &said); err != nil {
		return err
	}
	switch {
	case said.Endpoint != nil:
		return c.node.addEndpoint(said.Endpoint)
	case said.Remote != nil:
		return c.node.addRemote(said.Remote)
	case said.Identity != nil:
		c.node.addIdentity(said.Identity)
	case said.Peer != nil:
		kind, known := peerpb.ChangeNotificationType_value["PEER_"+said.Peer.Change]
		if !known {
			return fmt.Errorf("no such change: %s", said.Peer.Change)
		}
		c.peers.add(&peerpb.ChangeNotification{
			Name: said.Peer.Name, Address: said.Peer.Address, Type: peerpb.ChangeNotificationType(kind),
		})
	case said.Perf != nil:
		return c.tell(&observerTypes.PerfEvent{Data: said.Perf}, said.TimeNS)
	case said.AccessLog != nil:
		return c.tell(&observerTypes.AgentEvent{Type: monitorAPI.MessageTypeAccessLog, Message: *said.AccessLog}, said.TimeNS)
	case said.Lost != nil:
		return c.tell(said.Lost, said.TimeNS)
	case said.Flow != nil:
		flow := new(flowpb.Flow)
		if err := proto.Unmarshal(said.Flow, flow); err != nil {
			return err
		}
		return c.tell(flow, said.TimeNS)
	}
	return nil
}

func (c *commands) tell(payload any, timeNS int64) error {
	c.put(payload, timeNS)
	failure := c.decoder.failure
	c.fill(timeNS)
	return failure
}

// fill puts what nobody asks for behind an event. The ring does not show its newest event, and who follows it begins
// with the one before; on a node the next event is never far.
func (c *commands) fill(timeNS int64) {
	for range 2 {
		started := monitorAPI.StartMessage(time.Unix(0, timeNS))
		c.put(&observerTypes.AgentEvent{Type: monitorAPI.MessageTypeAgent, Message: started}, timeNS)
	}
}

// put returns once the event is in the ring.
func (c *commands) put(payload any, timeNS int64) {
	c.events <- &observerTypes.MonitorEvent{
		UUID: uuid.New(), Timestamp: time.Unix(0, timeNS), NodeName: nodeTypes.GetAbsoluteNodeName(), Payload: payload,
	}
	c.events <- &observerTypes.MonitorEvent{Payload: settled{}}
}

// settled is no event: that it is taken says that the one before it is dealt with.
type settled struct{}

// decoder is Cilium's, which also takes finished flows and remembers why the last event was not understood.
type decoder struct {
	parser.Decoder
	failure error
}

func newDecoder(logger *slog.Logger, n *node) (*decoder, error) {
	cilium, err := parser.New(logger, n, n, &testutils.NoopDNSGetter, n, &testutils.NoopServiceGetter,
		&testutils.NoopLinkGetter, &testutils.NoopPodMetadataGetter)
	return &decoder{Decoder: cilium}, err
}

func (d *decoder) Decode(event *observerTypes.MonitorEvent) (*v1.Event, error) {
	switch payload := event.Payload.(type) {
	case settled:
		return nil, parserErrors.ErrEventSkipped
	case *flowpb.Flow:
		at := timestamppb.New(event.Timestamp)
		payload.Time, payload.NodeName = at, event.NodeName
		d.failure = nil
		return &v1.Event{Timestamp: at, Event: payload}, nil
	}
	found, err := d.Decoder.Decode(event)
	d.failure = err
	if errors.Is(err, parserErrors.ErrUnknownEventType) {
		d.failure = fmt.Errorf("unknown event: %w", err)
	}
	return found, err
}
