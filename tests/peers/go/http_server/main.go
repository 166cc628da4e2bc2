// An HTTPS server over net/http, for tests of HTTP clients.
//
// Rules:
//   - The first line of stdout is "LISTENING port". HTTP/1.1 only.
//   - /echo answers the body, and its length and coding in fields; /chunks?n= so many lines, each
//     flushed; /length?n= so many bytes; /close ends the connection; /hints sends 103 before;
//     /refuse answers 413 before it reads; /cut ends within a body; /count says how many requests
//     it had on this connection.
//   - It ends when its stdin ends. Standard library only.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

type countKey struct{}

func main() {
	cert := flag.String("cert", "", "PEM file of the chain")
	key := flag.String("key", "", "PEM file of its key")
	idle := flag.Duration("idle", time.Minute, "how long a connection may be idle")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("x-method", r.Method)
		w.Header().Set("x-host", r.Host)
		w.Header().Set("x-length", strconv.FormatInt(r.ContentLength, 10))
		w.Header().Set("x-coding", strings.Join(r.TransferEncoding, ","))
		w.Header().Set("x-agent", r.UserAgent())
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("/chunks", func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < number(r, "n"); i++ {
			fmt.Fprintf(w, "line %d\n", i)
			w.(http.Flusher).Flush()
		}
		w.Header().Set(http.TrailerPrefix+"X-Trailer", "yes")
	})
	mux.HandleFunc("/length", func(w http.ResponseWriter, r *http.Request) {
		n := number(r, "n")
		w.Header().Set("content-length", strconv.Itoa(n))
		for i := 0; i < n; i += 1000 {
			io.WriteString(w, strings.Repeat("a", min(1000, n-i)))
		}
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("connection", "close")
		io.WriteString(w, "bye")
	})
	mux.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "after the hints")
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("connection", "close")
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("content-length", "100")
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Context().Value(countKey{}).(*atomic.Int32).Add(1))
	})
	server := &http.Server{
		Handler:      mux,
		IdleTimeout:  *idle,
		TLSConfig:    &tls.Config{},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:     log.New(io.Discard, "", 0),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, countKey{}, new(atomic.Int32))
		},
	}
	fmt.Printf("LISTENING %d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() { log.Fatal(server.ServeTLS(listener, *cert, *key)) }()
	io.Copy(io.Discard, os.Stdin)
}

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}
