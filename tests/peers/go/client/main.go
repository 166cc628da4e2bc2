// A TLS client over crypto/tls whose session outlives its process.
//
// Rules:
//   - One run is one connection. The session of -session is offered if the file is there, and the
//     newest ticket of the connection is written back to it.
//   - The last line of stdout is JSON, also when the handshake fails ("error"). The exit code is 0
//     unless the flags are wrong.
//   - Standard library only.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"
)

type report struct {
	Resumed bool   `json:"resumed"`
	Version string `json:"version"`
	Cipher  string `json:"cipher"`
	ALPN    string `json:"alpn"`
	Offered bool   `json:"offered"`
	Saved   bool   `json:"saved"`
	Body    string `json:"body"`
	Error   string `json:"error,omitempty"`
}

// sessionFile is a tls.ClientSessionCache of one session.
type sessionFile struct {
	path           string
	offered, saved bool
	puts           chan struct{}
}

// The file: two bytes of the ticket's length, the ticket, then the state.
func (f *sessionFile) Get(string) (*tls.ClientSessionState, bool) {
	stored, err := os.ReadFile(f.path)
	if err != nil || len(stored) < 2 {
		return nil, false
	}
	length := 2 + int(stored[0])<<8 + int(stored[1])
	if len(stored) < length {
		return nil, false
	}
	state, err := tls.ParseSessionState(stored[length:])
	if err != nil {
		return nil, false
	}
	session, err := tls.NewResumptionState(stored[2:length], state)
	if err != nil {
		return nil, false
	}
	f.offered = true
	return session, true
}

func (f *sessionFile) Put(_ string, session *tls.ClientSessionState) {
	if session == nil {
		return
	}
	ticket, state, err := session.ResumptionState()
	if err != nil || state == nil || len(ticket) > 0xffff {
		return
	}
	encoded, err := state.Bytes()
	if err != nil {
		return
	}
	stored := append([]byte{byte(len(ticket) >> 8), byte(len(ticket))}, ticket...)
	if os.WriteFile(f.path, append(stored, encoded...), 0o600) == nil {
		f.saved = true
		select {
		case f.puts <- struct{}{}:
		default:
		}
	}
}

func main() {
	addr := flag.String("addr", "", "HOST:PORT")
	serverName := flag.String("servername", "localhost", "SNI, and the name to verify")
	ca := flag.String("ca", "", "PEM file of roots")
	version := flag.String("version", "", "12 or 13, else both")
	session := flag.String("session", "", "file to resume from and to save to")
	cert := flag.String("cert", "", "PEM file of the client certificate")
	key := flag.String("key", "", "PEM file of its key")
	alpn := flag.String("alpn", "", "protocols, separated by commas")
	send := flag.String("send", "", "what to write after the handshake")
	until := flag.String("until", "", "stop reading once this has arrived, and a ticket if -session is given; else at EOF")
	timeout := flag.Duration("timeout", 10*time.Second, "for everything")
	flag.Parse()

	config, err := configuration(*serverName, *ca, *version, *cert, *key, *alpn)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	file := &sessionFile{path: *session, puts: make(chan struct{}, 1)}
	if *session != "" {
		config.ClientSessionCache = file
	}
	var result report
	if err := exchange(*addr, config, *send, *until, *timeout, file, &result); err != nil {
		result.Error = err.Error()
	}
	result.Offered, result.Saved = file.offered, file.saved
	json.NewEncoder(os.Stdout).Encode(result)
}

func configuration(serverName, ca, version, cert, key, alpn string) (*tls.Config, error) {
	config := &tls.Config{ServerName: serverName}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("-ca holds no certificate")
		}
	}
	switch version {
	case "":
	case "12":
		config.MinVersion, config.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	case "13":
		config.MinVersion = tls.VersionTLS13
	default:
		return nil, fmt.Errorf("-version is 12 or 13, got %q", version)
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if alpn != "" {
		config.NextProtos = strings.Split(alpn, ",")
	}
	return config, nil
}

func exchange(addr string, config *tls.Config, send, until string, timeout time.Duration, file *sessionFile, result *report) error {
	raw, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return err
	}
	raw.SetDeadline(time.Now().Add(timeout))
	conn := tls.Client(raw, config)
	defer conn.Close()
	if err := conn.Handshake(); err != nil {
		return err
	}
	state := conn.ConnectionState()
	result.Resumed = state.DidResume
	result.Version = tls.VersionName(state.Version)
	result.Cipher = tls.CipherSuiteName(state.CipherSuite)
	result.ALPN = state.NegotiatedProtocol
	if _, err := io.WriteString(conn, send); err != nil {
		return err
	}
	body, err := read(conn, until, file)
	result.Body = string(body)
	return err
}

// A ticket is processed within Read only, on TLS 1.3.
func read(conn *tls.Conn, until string, file *sessionFile) ([]byte, error) {
	var body []byte
	buffer := make([]byte, 64*1024)
	for {
		if until != "" && bytes.Contains(body, []byte(until)) && (file.path == "" || file.saved) {
			return body, nil
		}
		n, err := conn.Read(buffer)
		body = append(body, buffer[:n]...)
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
}
