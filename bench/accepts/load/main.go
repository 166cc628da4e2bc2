// The clients of the benchmark of servers: Go's crypto/tls, many connections at a time.
//
// Rules:
//   - Orders come as lines of JSON on stdin, one answer each on stdout; the end of stdin ends it.
//   - A connection counts from before TCP until its end: handshake, one byte to the server and back
//     (the server's tickets come before it), close_notify. A failure ends the program.
//   - With "resume" each worker has a session before the clock starts, and each connection offers
//     the newest one of its worker. Sessions of a server are kept between orders.
//   - X25519 before P-256, which OpenSSL asks for with such a certificate: what is compared is
//     servers, not their taste in groups.
//   - Standard library only.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

type order struct {
	Port        int    `json:"port"`
	Version     string `json:"version"`
	Connections int    `json:"connections"`
	Workers     int    `json:"workers"`
	Resume      bool   `json:"resume"`
}

type answer struct {
	Seconds float64 `json:"seconds"`
	Resumed int64   `json:"resumed"`
	Cipher  string  `json:"cipher"`
}

var (
	roots  = x509.NewCertPool()
	caches = map[string]tls.ClientSessionCache{}
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cacheOf(o order, worker int) tls.ClientSessionCache {
	name := fmt.Sprint(o.Port, o.Version, worker)
	if caches[name] == nil {
		caches[name] = tls.NewLRUClientSessionCache(4)
	}
	return caches[name]
}

func connect(o order, cache tls.ClientSessionCache) tls.ConnectionState {
	version := uint16(tls.VersionTLS13)
	if o.Version == "TLSv1.2" {
		version = tls.VersionTLS12
	}
	tcp, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", o.Port))
	check(err)
	conn := tls.Client(tcp, &tls.Config{
		RootCAs:            roots,
		ServerName:         "localhost",
		MinVersion:         version,
		MaxVersion:         version,
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256},
		ClientSessionCache: cache,
	})
	check(conn.SetDeadline(time.Now().Add(60 * time.Second)))
	_, err = conn.Write([]byte("x"))
	check(err)
	_, err = conn.Read(make([]byte, 1))
	check(err)
	state := conn.ConnectionState()
	conn.Close()
	return state
}

func carryOut(o order) answer {
	chosen := make([]tls.ClientSessionCache, o.Workers)
	if o.Resume {
		for worker := range chosen {
			chosen[worker] = cacheOf(o, worker)
			if _, ok := chosen[worker].Get("localhost"); !ok {
				connect(o, chosen[worker])
			}
		}
	}
	var next, resumed atomic.Int64
	var cipher atomic.Value
	var group sync.WaitGroup
	started := time.Now()
	for _, cache := range chosen {
		group.Add(1)
		go func() {
			defer group.Done()
			for next.Add(1) <= int64(o.Connections) {
				state := connect(o, cache)
				if state.DidResume {
					resumed.Add(1)
				}
				cipher.Store(tls.CipherSuiteName(state.CipherSuite))
			}
		}()
	}
	group.Wait()
	return answer{time.Since(started).Seconds(), resumed.Load(), cipher.Load().(string)}
}

func main() {
	pem, err := os.ReadFile(os.Args[1])
	check(err)
	if !roots.AppendCertsFromPEM(pem) {
		check(fmt.Errorf("no certificate in %s", os.Args[1]))
	}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		var o order
		check(json.Unmarshal(orders.Bytes(), &o))
		encoded, err := json.Marshal(carryOut(o))
		check(err)
		fmt.Println(string(encoded))
	}
}
