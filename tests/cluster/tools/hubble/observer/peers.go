package main

import (
	"sync"

	peerpb "github.com/cilium/cilium/api/v1/peer"
)

// peers is the peer service: it tells each relay of every change there ever was, in order.
type peers struct {
	peerpb.UnimplementedPeerServer
	mu      sync.Mutex
	told    []*peerpb.ChangeNotification
	changed chan struct{}
}

func (p *peers) add(change *peerpb.ChangeNotification) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, change)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *peers) after(count int) ([]*peerpb.ChangeNotification, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.told[count:], p.changed
}

// Notify implements peerpb.PeerServer.
func (p *peers) Notify(_ *peerpb.NotifyRequest, stream peerpb.Peer_NotifyServer) error {
	for count := 0; ; {
		news, changed := p.after(count)
		for _, change := range news {
			if err := stream.Send(change); err != nil {
				return err
			}
			count++
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}
