package applications

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"mbl/internal/lwm2m"
)

const (
	// answerTime is how long an application may take to answer a request.
	answerTime = 10 * time.Second
	// writeTime is how long an application may leave what we say unread.
	writeTime = 5 * time.Second
)

// App is one connected application.
type App struct {
	ID uint64 // of this connection

	conn     net.Conn
	log      *slog.Logger
	left     chan struct{} // closed when it has left
	sending  sync.Mutex
	mu       sync.Mutex
	last     uint64
	awaiting map[uint64]chan *message
}

func newApp(id uint64, conn net.Conn, log *slog.Logger) *App {
	return &App{ID: id, conn: conn, log: log, left: make(chan struct{}), awaiting: map[uint64]chan *message{}}
}

// serve reads what the application says until it leaves.
func (a *App) serve(registry Registry) {
	defer registry.Leave(a)
	defer close(a.left)
	defer a.conn.Close()
	lines := bufio.NewScanner(a.conn)
	lines.Buffer(make([]byte, 0, 4<<10), maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) > 0 && !a.take(registry, lines.Bytes()) {
			return
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		a.send(reply{Error: fmt.Sprintf("a line has at most %d bytes", maxLine)})
	}
}

// take does what a line says. It tells whether the application can still be
// talked to.
func (a *App) take(registry Registry, line []byte) bool {
	m, err := parseMessage(line)
	if err != nil {
		return a.send(reply{Error: err.Error()})
	}
	if m.Answer != nil {
		a.deliver(*m.Answer, m)
		return true
	}
	if err := a.do(registry, m); err != nil {
		return a.send(reply{ID: m.ID, Error: err.Error()})
	}
	return a.send(reply{ID: m.ID, OK: true})
}

func (a *App) do(registry Registry, m *message) error {
	switch m.Do {
	case "publish":
		resources, err := m.resources()
		if err != nil {
			return err
		}
		return registry.Publish(a, resources)
	case "set":
		values, err := m.values()
		if err != nil {
			return err
		}
		return registry.Set(a, values)
	case "withdraw":
		return a.withdraw(registry, m.Paths)
	default:
		return errors.New(`"do" is one of publish, set, withdraw`)
	}
}

func (a *App) withdraw(registry Registry, texts []string) error {
	if len(texts) == 0 {
		return errors.New("paths are missing")
	}
	var paths []lwm2m.Path
	for _, text := range texts {
		path, err := lwm2m.ParsePath(text)
		if err != nil || len(path) == 0 || len(path) > 3 {
			return fmt.Errorf("%q is no path of an object, instance or resource", text)
		}
		paths = append(paths, path)
	}
	for _, path := range paths {
		if err := registry.Withdraw(a, path); err != nil {
			return err
		}
	}
	return nil
}

// Write asks the application to take a value, of the type the resource was
// published with. It returns ErrGone, ErrSilent, a *RefusedError or ctx's error.
func (a *App) Write(ctx context.Context, path lwm2m.Path, value any) error {
	return a.ask(ctx, request{Do: "write", Path: path.String(), Value: value})
}

// Execute asks the application to act, with the arguments the server gave
// (LwM2M 1.0 §5.4.5). Its errors are Write's.
func (a *App) Execute(ctx context.Context, path lwm2m.Path, arguments string) error {
	return a.ask(ctx, request{Do: "execute", Path: path.String(), Arguments: &arguments})
}

func (a *App) ask(ctx context.Context, r request) error {
	answer := make(chan *message, 1)
	a.mu.Lock()
	a.last++
	r.Request = a.last
	a.awaiting[r.Request] = answer
	a.mu.Unlock()
	defer a.deliver(r.Request, nil)
	if !a.send(r) {
		return ErrGone
	}
	timer := time.NewTimer(answerTime)
	defer timer.Stop()
	select {
	case m := <-answer:
		if m.Error != "" {
			return &RefusedError{m.Error}
		}
		return nil
	case <-a.left:
		return ErrGone
	case <-timer.C:
		return ErrSilent
	case <-ctx.Done():
		return ctx.Err()
	}
}

// deliver hands an answer to whoever waits for it. What nobody waits for any
// more is dropped.
func (a *App) deliver(number uint64, m *message) {
	a.mu.Lock()
	answer := a.awaiting[number]
	delete(a.awaiting, number)
	a.mu.Unlock()
	if answer != nil && m != nil {
		answer <- m
	}
}

// send writes one line. An application that does not read is left.
func (a *App) send(v any) bool {
	line, err := json.Marshal(v)
	if err != nil {
		a.log.Error("cannot talk to an application", "error", err)
		return false
	}
	a.sending.Lock()
	defer a.sending.Unlock()
	_ = a.conn.SetWriteDeadline(time.Now().Add(writeTime)) // fails only where writing does
	if _, err := a.conn.Write(append(line, '\n')); err != nil {
		_ = a.conn.Close()
		return false
	}
	return true
}
