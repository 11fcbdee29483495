package main

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
)

// positioned is what Cilium's observer logs once a request reads the ring from its place on: nothing that is told
// after it is missed. Nothing else says so.
const positioned = "creating a new eventsReader"

type counting struct {
	slog.Handler
	readers *atomic.Int64
}

func newLogger() (*slog.Logger, *atomic.Int64) {
	readers := new(atomic.Int64)
	written := slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})
	return slog.New(counting{written, readers}), readers
}

func (c counting) Enabled(context.Context, slog.Level) bool { return true }

func (c counting) Handle(ctx context.Context, record slog.Record) error {
	if record.Message == positioned {
		c.readers.Add(1)
	}
	if !c.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return c.Handler.Handle(ctx, record)
}

func (c counting) WithAttrs(attrs []slog.Attr) slog.Handler {
	return counting{c.Handler.WithAttrs(attrs), c.readers}
}

func (c counting) WithGroup(name string) slog.Handler {
	return counting{c.Handler.WithGroup(name), c.readers}
}
