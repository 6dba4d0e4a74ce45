// Package client makes one HTTP exchange.
package client
