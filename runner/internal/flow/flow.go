// Package flow walks virtual users through scenarios.
package flow
