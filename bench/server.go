package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A server is nginx with one worker on core 1.
type server struct {
	url string
	log string // when it answered what came to /logged, a line each, in seconds since 1970
	cmd *exec.Cmd
	end context.CancelFunc
}

// nginxConf answers from memory. The reload of connections that nginx is used to after 1,000 requests is off, since
// it would be measured as the clients' dialing.
const nginxConf = `
daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.err warn;
worker_rlimit_nofile 200000;
events { worker_connections 100000; multi_accept on; }
http {
  access_log off;
  log_format moment '$msec';
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  tcp_nodelay on;
  default_type application/json;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server {
    listen 127.0.0.1:%[2]d backlog=8192;
    location / { return 200 '{"id":1,"firstName":"Ada","lastName":"Lovelace","email":"ada@example.com"}'; }
    location /record { return 201 '{"id":"$request_id"}'; }
    location /logged { access_log %[1]s/moments moment; return 200 '{"id":1}'; }
  }
}
`

// startServer blocks until nginx answers. Its files lie in dir.
func startServer(ctx context.Context, nginx []string, dir string) (*server, error) {
	// nginx cannot be asked for any port that is free.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, port), 0o644); err != nil {
		return nil, err
	}
	lives, end := context.WithCancel(context.WithoutCancel(ctx)) // it is ended by close, after the last client
	s := &server{
		url: fmt.Sprintf("http://127.0.0.1:%d", port), log: filepath.Join(dir, "moments"), end: end,
		cmd: exec.CommandContext(lives, nginx[0], append(nginx[1:], "-p", dir, "-c", conf)...),
	}
	if err := s.cmd.Start(); err != nil {
		end()
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	for range 200 {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			return s, response.Body.Close()
		}
		if !wait(ctx, 10*time.Millisecond) {
			break
		}
	}
	why, err := os.ReadFile(filepath.Join(dir, "nginx.err"))
	return nil, errors.Join(fmt.Errorf("nginx does not answer: %s", lastLine(why)), err, s.close())
}

// close ends nginx and waits for its end.
func (s *server) close() error {
	s.end()
	if err := s.cmd.Wait(); s.cmd.ProcessState == nil {
		return fmt.Errorf("end nginx: %w", err)
	}
	return nil
}
