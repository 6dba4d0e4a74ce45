// Package awskms is what can be broken about an AWS KMS key.
package awskms
