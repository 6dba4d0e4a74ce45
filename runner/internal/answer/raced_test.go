//go:build race

package answer

const raced = true
