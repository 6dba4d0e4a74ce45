// Package kms answers the AWS KMS protocol.
package kms
