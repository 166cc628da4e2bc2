// A TLS server over crypto/tls that tells each client what it sees of the connection.
//
// Rules:
//   - The first line of stdout is "LISTENING port". A failed connection is a line on stderr.
//   - Every connection is answered after its first line (an HTTP request will do) with an HTTP/1.0
//     response whose body is JSON, and is then closed.
//   - It ends when its stdin ends. Standard library only.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"
)

type report struct {
	Resumed    bool   `json:"resumed"`
	Version    string `json:"version"`
	Cipher     string `json:"cipher"`
	ALPN       string `json:"alpn"`
	ServerName string `json:"serverName"`
	// The subject of the client certificate, "" without one.
	Client string `json:"client"`
}

func main() {
	cert := flag.String("cert", "", "PEM file of the chain")
	key := flag.String("key", "", "PEM file of its key")
	version := flag.String("version", "", "12 or 13, else both")
	alpn := flag.String("alpn", "", "protocols, separated by commas")
	clientCA := flag.String("client-ca", "", "PEM file of roots: demands a client certificate")
	ticketKey := flag.String("ticket-key", "", "32 bytes in hex, to share tickets between servers")
	flag.Parse()
	log.SetFlags(0)

	config, err := configuration(*cert, *key, *version, *alpn, *clientCA, *ticketKey)
	if err != nil {
		log.Print(err)
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("LISTENING %d\n", listener.Addr().(*net.TCPAddr).Port)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go func() {
				if err := serve(tls.Server(conn, config)); err != nil {
					log.Printf("connection failed: %v", err)
				}
			}()
		}
	}()
	io.Copy(io.Discard, os.Stdin)
}

func configuration(cert, key, version, alpn, clientCA, ticketKey string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	switch version {
	case "":
	case "12":
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	case "13":
		config.MinVersion = tls.VersionTLS13
	default:
		return nil, fmt.Errorf("-version is 12 or 13, got %q", version)
	}
	if alpn != "" {
		config.NextProtos = strings.Split(alpn, ",")
	}
	if clientCA != "" {
		pem, err := os.ReadFile(clientCA)
		if err != nil {
			return nil, err
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("-client-ca holds no certificate")
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if ticketKey != "" {
		decoded, err := hex.DecodeString(ticketKey)
		if err != nil || len(decoded) != 32 {
			return nil, errors.New("-ticket-key is 32 bytes in hex")
		}
		config.SetSessionTicketKeys([][32]byte{[32]byte(decoded)})
	}
	return config, nil
}

func serve(conn *tls.Conn) error {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		return err
	}
	state := conn.ConnectionState()
	client := ""
	if len(state.PeerCertificates) > 0 {
		client = state.PeerCertificates[0].Subject.String()
	}
	body, err := json.Marshal(report{
		Resumed:    state.DidResume,
		Version:    tls.VersionName(state.Version),
		Cipher:     tls.CipherSuiteName(state.CipherSuite),
		ALPN:       state.NegotiatedProtocol,
		ServerName: state.ServerName,
		Client:     client,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return err
}
