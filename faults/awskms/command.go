package awskms

import "strings"

// command returns the aws command line for one call, ready for a shell: with the Region, and the
// endpoint if it is not AWS's own, since the person who needs it may have neither configured.
func (c *Cloud) command(endpoint string, args ...string) string {
	words := append([]string{"aws"}, args...)
	words = append(words, "--region", c.region)
	if endpoint != "" {
		words = append(words, "--endpoint-url", endpoint)
	}
	for i := range words {
		words[i] = Quote(words[i])
	}
	return strings.Join(words, " ")
}

// plain are the characters no POSIX shell gives a meaning to, wherever they stand in a word.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:@_"

// Quote writes s as one word of a shell.
func Quote(s string) string {
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
