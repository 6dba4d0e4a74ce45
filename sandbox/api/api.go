// Package api is the HTTP API of the article.
package api
