package client

import (
	"io"
	"log"
)

// quiet discards what a server says about clients it does not like.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }
