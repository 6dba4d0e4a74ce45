// Command loadkms puts load on an API and breaks its KMS keys, to see what its users would notice.
package main

func main() {}
