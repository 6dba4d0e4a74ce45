// Package awskms is what can be broken about an AWS KMS key, and the stack outputs that name it. It is
// the only package that talks to AWS, or to whatever speaks like it.
//
// It makes targets for package faults and does not decide when they break, does not report, and does
// not try again beyond the SDK's own retries of one call. Each action of the catalog is one file.
package awskms
