package kms

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"regexp"
	"slices"
	"time"

	"loadkms/sandbox/iam"
)

// A connection is the state of a custom key store's connection to its cluster.
type connection string

// The states of connection.
const (
	connected     connection = "CONNECTED"
	connecting    connection = "CONNECTING"
	failed        connection = "FAILED"
	disconnected  connection = "DISCONNECTED"
	disconnecting connection = "DISCONNECTING"
)

// A store is a custom key store in a CloudHSM cluster. Everything but id and created may change, under
// Service.mu. The sandbox has every cluster whose id is well-formed; what a cluster would hold is held
// by the keys themselves.
type store struct {
	id      string
	created time.Time

	name, cluster, anchor string
	state                 connection
	arrives               time.Time // when connecting or disconnecting is over; else zero
	failure               string    // ConnectionErrorCode while failed
	// password is the one KMS logs in with, and real the one the cluster knows: that of the store's
	// creation. UpdateCustomKeyStore changes only what KMS uses, so a wrong one lets the next connection fail.
	password, real string
}

// moveStores ends the connecting and disconnecting of stores. s.mu must be held for writing.
func (s *Service) moveStores(a *agenda) {
	for _, st := range s.stores {
		if !a.due(st.arrives) {
			continue
		}
		st.arrives = time.Time{}
		switch {
		case st.state == disconnecting:
			st.state = disconnected
		case st.password != st.real:
			st.state, st.failure = failed, "INVALID_CREDENTIALS"
		default:
			st.state = connected
		}
	}
}

// connectedStore returns the store of that id if it can be used. s.mu must be held.
func (s *Service) connectedStore(id string) (*store, *Error) {
	st := s.stores[id]
	if st == nil {
		return nil, errStoreUnknown(id)
	}
	if st.state != connected {
		return nil, errStoreState(st)
	}
	return st, nil
}

func errStoreUnknown(id string) *Error {
	return refuse("CustomKeyStoreNotFoundException", "Custom key store %s does not exist.", id)
}

func errStoreState(st *store) *Error {
	return refuse("CustomKeyStoreInvalidStateException", "The custom key store %s is %s.", st.id, st.state)
}

// A CreateCustomKeyStoreRequest describes a new custom key store.
type CreateCustomKeyStoreRequest struct {
	CustomKeyStoreName     string `json:",omitempty"`
	CloudHsmClusterId      string `json:",omitempty"`
	TrustAnchorCertificate string `json:",omitempty"` // PEM
	KeyStorePassword       string `json:",omitempty"` // of the cluster's user kmsuser
	CustomKeyStoreType     string `json:",omitempty"` // default AWS_CLOUDHSM, which is all the sandbox has
}

// A CreateCustomKeyStoreResponse names the new store.
type CreateCustomKeyStoreResponse struct{ CustomKeyStoreId string }

// A DescribeCustomKeyStoresRequest asks for the next page of stores, or for one of them.
type DescribeCustomKeyStoresRequest struct {
	CustomKeyStoreId   string `json:",omitempty"` // or name, not both
	CustomKeyStoreName string `json:",omitempty"`
	Limit              *int32 `json:",omitempty"` // 1 to 1000; default 100
	Marker             string `json:",omitempty"` // NextMarker of the page before
}

// A DescribeCustomKeyStoresResponse is one page of stores.
type DescribeCustomKeyStoresResponse struct {
	CustomKeyStores []CustomKeyStoresListEntry
	NextMarker      string `json:",omitempty"`
	Truncated       bool
}

// A CustomKeyStoresListEntry describes a custom key store.
type CustomKeyStoresListEntry struct {
	CustomKeyStoreId       string
	CustomKeyStoreName     string
	CloudHsmClusterId      string
	TrustAnchorCertificate string
	ConnectionState        string
	ConnectionErrorCode    string `json:",omitempty"` // while FAILED
	CreationDate           Timestamp
	CustomKeyStoreType     string
}

// An UpdateCustomKeyStoreRequest says what is new about a store that is disconnected.
type UpdateCustomKeyStoreRequest struct {
	CustomKeyStoreId      string `json:",omitempty"`
	NewCustomKeyStoreName string `json:",omitempty"`
	KeyStorePassword      string `json:",omitempty"` // what KMS logs in with; the cluster's own stays
	CloudHsmClusterId     string `json:",omitempty"`
}

// A CustomKeyStoreRequest names a custom key store.
type CustomKeyStoreRequest struct {
	CustomKeyStoreId string `json:",omitempty"`
}

// A CustomKeyStoreResponse is empty, but written as {}.
type CustomKeyStoreResponse struct{}

var (
	createCustomKeyStore = operation[CreateCustomKeyStoreRequest, CreateCustomKeyStoreResponse]{
		"CreateCustomKeyStore", (*Service).createCustomKeyStore}
	describeCustomKeyStores = operation[DescribeCustomKeyStoresRequest, DescribeCustomKeyStoresResponse]{
		"DescribeCustomKeyStores", (*Service).describeCustomKeyStores}
	updateCustomKeyStore = operation[UpdateCustomKeyStoreRequest, CustomKeyStoreResponse]{
		"UpdateCustomKeyStore", (*Service).updateCustomKeyStore}
	connectCustomKeyStore = operation[CustomKeyStoreRequest, CustomKeyStoreResponse]{
		"ConnectCustomKeyStore", (*Service).connectCustomKeyStore}
	disconnectCustomKeyStore = operation[CustomKeyStoreRequest, CustomKeyStoreResponse]{
		"DisconnectCustomKeyStore", (*Service).disconnectCustomKeyStore}
	deleteCustomKeyStore = operation[CustomKeyStoreRequest, CustomKeyStoreResponse]{
		"DeleteCustomKeyStore", (*Service).deleteCustomKeyStore}
)

// CreateCustomKeyStore makes a store, which is not connected yet.
func (s *Service) CreateCustomKeyStore(c iam.Caller, in *CreateCustomKeyStoreRequest) (*CreateCustomKeyStoreResponse, error) {
	return createCustomKeyStore.call(s, c, in)
}

// DescribeCustomKeyStores lists stores in the order of their ids.
func (s *Service) DescribeCustomKeyStores(c iam.Caller, in *DescribeCustomKeyStoresRequest) (*DescribeCustomKeyStoresResponse, error) {
	return describeCustomKeyStores.call(s, c, in)
}

// UpdateCustomKeyStore changes a store that is disconnected.
func (s *Service) UpdateCustomKeyStore(c iam.Caller, in *UpdateCustomKeyStoreRequest) (*CustomKeyStoreResponse, error) {
	return updateCustomKeyStore.call(s, c, in)
}

// ConnectCustomKeyStore begins to connect a store and returns at once. The store is CONNECTED, or
// FAILED, when Options.StoreDelay has passed.
func (s *Service) ConnectCustomKeyStore(c iam.Caller, in *CustomKeyStoreRequest) (*CustomKeyStoreResponse, error) {
	return connectCustomKeyStore.call(s, c, in)
}

// DisconnectCustomKeyStore begins to disconnect a store and returns at once. Its keys are unavailable
// from now on; the store is DISCONNECTED when Options.StoreDelay has passed.
func (s *Service) DisconnectCustomKeyStore(c iam.Caller, in *CustomKeyStoreRequest) (*CustomKeyStoreResponse, error) {
	return disconnectCustomKeyStore.call(s, c, in)
}

// DeleteCustomKeyStore removes a store that is disconnected and has no keys.
func (s *Service) DeleteCustomKeyStore(c iam.Caller, in *CustomKeyStoreRequest) (*CustomKeyStoreResponse, error) {
	return deleteCustomKeyStore.call(s, c, in)
}

const maxStores = 10

// clusterID is the pattern of the ids of CloudHSM clusters.
var clusterID = regexp.MustCompile(`^cluster-[2-7a-zA-Z]{11,16}$`)

func (s *Service) createCustomKeyStore(c *call, in *CreateCustomKeyStoreRequest) (*CreateCustomKeyStoreResponse, *Error) {
	v := c.validation()
	v.required("CustomKeyStoreName", in.CustomKeyStoreName, 256)
	v.optional("CloudHsmClusterId", in.CloudHsmClusterId, 19, 24)
	v.optional("TrustAnchorCertificate", in.TrustAnchorCertificate, 1, 5000)
	v.password(in.KeyStorePassword)
	v.enum("CustomKeyStoreType", in.CustomKeyStoreType, []string{"AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"})
	if err := v.err(); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreType == "EXTERNAL_KEY_STORE" {
		return nil, errNotYet("custom key stores of the type EXTERNAL_KEY_STORE")
	}
	if in.CloudHsmClusterId == "" || in.TrustAnchorCertificate == "" || in.KeyStorePassword == "" {
		return nil, refuse("ValidationException", "CloudHsmClusterId, TrustAnchorCertificate and KeyStorePassword are required "+
			"for custom key stores of the type AWS_CLOUDHSM.")
	}
	if err := s.authorizeIdentity(c.caller, "CreateCustomKeyStore", "*"); err != nil {
		return nil, err
	}
	if !clusterID.MatchString(in.CloudHsmClusterId) {
		return nil, refuse("CloudHsmClusterNotFoundException", "The cluster %s does not exist.", in.CloudHsmClusterId)
	}
	if p, _ := pem.Decode([]byte(in.TrustAnchorCertificate)); p == nil || p.Type != "CERTIFICATE" {
		return nil, refuse("IncorrectTrustAnchorException", "The trust anchor certificate is not that of the cluster %s.", in.CloudHsmClusterId)
	}
	s.mu.Lock()
	defer s.unlock()
	for _, st := range s.stores {
		switch {
		case st.name == in.CustomKeyStoreName:
			return nil, errStoreName(in.CustomKeyStoreName)
		case st.cluster == in.CloudHsmClusterId:
			return nil, refuse("CloudHsmClusterInUseException", "The cluster %s is in use by another custom key store.", st.cluster)
		}
	}
	if len(s.stores) >= maxStores {
		return nil, refuse("LimitExceededException", "The limit of %d custom key stores has been reached.", maxStores)
	}
	var random [9]byte
	rand.Read(random[:]) // never fails
	st := &store{id: "cks-" + hex.EncodeToString(random[:])[:17], created: c.now, name: in.CustomKeyStoreName,
		cluster: in.CloudHsmClusterId, anchor: in.TrustAnchorCertificate, state: disconnected,
		password: in.KeyStorePassword, real: in.KeyStorePassword}
	s.stores[st.id] = st
	return &CreateCustomKeyStoreResponse{st.id}, nil
}

// password checks the length of a password, without showing it.
func (v *validation) password(p string) {
	if n := len([]rune(p)); n > 32 || n < 7 && (p != "" || v.present("KeyStorePassword")) {
		v.add("Value at 'keyStorePassword' %s have length between 7 and 32", constraint)
	}
}

func errStoreName(name string) *Error {
	return refuse("CustomKeyStoreNameInUseException", "The custom key store name %s is in use.", name)
}

func (s *Service) describeCustomKeyStores(c *call, in *DescribeCustomKeyStoresRequest) (*DescribeCustomKeyStoresResponse, *Error) {
	v := c.validation()
	v.optional("CustomKeyStoreId", in.CustomKeyStoreId, 1, 64)
	v.optional("CustomKeyStoreName", in.CustomKeyStoreName, 1, 256)
	v.between("Limit", in.Limit, 1, 1000)
	v.optional("Marker", in.Marker, 1, 1024)
	if err := v.err(); err != nil {
		return nil, err
	}
	if in.CustomKeyStoreId != "" && in.CustomKeyStoreName != "" {
		return nil, refuse("ValidationException", "Specify either CustomKeyStoreId or CustomKeyStoreName, but not both.")
	}
	if err := s.authorizeIdentity(c.caller, "DescribeCustomKeyStores", "*"); err != nil {
		return nil, err
	}
	s.mu.RLock()
	all := []CustomKeyStoresListEntry{}
	for _, st := range s.stores {
		if in.CustomKeyStoreId != "" && st.id != in.CustomKeyStoreId || in.CustomKeyStoreName != "" && st.name != in.CustomKeyStoreName {
			continue
		}
		all = append(all, CustomKeyStoresListEntry{CustomKeyStoreId: st.id, CustomKeyStoreName: st.name,
			CloudHsmClusterId: st.cluster, TrustAnchorCertificate: st.anchor, ConnectionState: string(st.state),
			ConnectionErrorCode: st.failure, CreationDate: Timestamp{st.created}, CustomKeyStoreType: "AWS_CLOUDHSM"})
	}
	s.mu.RUnlock()
	if wanted := in.CustomKeyStoreId + in.CustomKeyStoreName; wanted != "" && len(all) == 0 {
		return nil, errStoreUnknown(wanted)
	}
	page, next, err := paginate(all, func(e CustomKeyStoresListEntry) string { return e.CustomKeyStoreId }, in.Marker, in.Limit, 100)
	if err != nil {
		return nil, err
	}
	return &DescribeCustomKeyStoresResponse{CustomKeyStores: page, NextMarker: next, Truncated: next != ""}, nil
}

// storeIn finds a store for an operation that changes it, which is refused in these of its states.
// s.mu must be held.
func (s *Service) storeIn(c *call, action, id string, refused ...connection) (*store, *Error) {
	v := c.validation()
	v.required("CustomKeyStoreId", id, 64)
	if err := v.err(); err != nil {
		return nil, err
	}
	if err := s.authorizeIdentity(c.caller, action, "*"); err != nil {
		return nil, err
	}
	st := s.stores[id]
	if st == nil {
		return nil, errStoreUnknown(id)
	}
	if slices.Contains(refused, st.state) {
		return nil, errStoreState(st)
	}
	return st, nil
}

func (s *Service) updateCustomKeyStore(c *call, in *UpdateCustomKeyStoreRequest) (*CustomKeyStoreResponse, *Error) {
	v := c.validation()
	v.required("CustomKeyStoreId", in.CustomKeyStoreId, 64)
	v.optional("NewCustomKeyStoreName", in.NewCustomKeyStoreName, 1, 256)
	v.password(in.KeyStorePassword)
	v.optional("CloudHsmClusterId", in.CloudHsmClusterId, 19, 24)
	if err := v.err(); err != nil {
		return nil, err
	}
	if in.NewCustomKeyStoreName+in.KeyStorePassword+in.CloudHsmClusterId == "" {
		return nil, refuse("ValidationException", "Specify at least one property of the custom key store to update.")
	}
	s.mu.Lock()
	defer s.unlock()
	st, err := s.storeIn(c, "UpdateCustomKeyStore", in.CustomKeyStoreId, connected, connecting, disconnecting, failed)
	if err != nil {
		return nil, err
	}
	for _, other := range s.stores {
		if other != st && other.name == in.NewCustomKeyStoreName {
			return nil, errStoreName(in.NewCustomKeyStoreName)
		}
	}
	// A store may move only to a cluster that was made from a backup of its own, and the sandbox has no
	// backups.
	if in.CloudHsmClusterId != "" && in.CloudHsmClusterId != st.cluster {
		return nil, refuse("CloudHsmClusterNotRelatedException", "The cluster %s does not share a backup history with %s.",
			in.CloudHsmClusterId, st.cluster)
	}
	st.name = cmp.Or(in.NewCustomKeyStoreName, st.name)
	st.password = cmp.Or(in.KeyStorePassword, st.password)
	return &CustomKeyStoreResponse{}, nil
}

func (s *Service) connectCustomKeyStore(c *call, in *CustomKeyStoreRequest) (*CustomKeyStoreResponse, *Error) {
	s.mu.Lock()
	defer s.unlock()
	st, err := s.storeIn(c, "ConnectCustomKeyStore", in.CustomKeyStoreId, disconnecting, failed)
	if err != nil {
		return nil, err
	}
	if st.state == disconnected { // otherwise it is connected, or about to be
		st.state, st.arrives = connecting, c.now.Add(s.storeDelay)
		s.expect(st.arrives)
	}
	return &CustomKeyStoreResponse{}, nil
}

func (s *Service) disconnectCustomKeyStore(c *call, in *CustomKeyStoreRequest) (*CustomKeyStoreResponse, *Error) {
	s.mu.Lock()
	defer s.unlock()
	st, err := s.storeIn(c, "DisconnectCustomKeyStore", in.CustomKeyStoreId, disconnecting, disconnected)
	if err != nil {
		return nil, err
	}
	st.state, st.failure, st.arrives = disconnecting, "", c.now.Add(s.storeDelay)
	s.expect(st.arrives)
	return &CustomKeyStoreResponse{}, nil
}

func (s *Service) deleteCustomKeyStore(c *call, in *CustomKeyStoreRequest) (*CustomKeyStoreResponse, *Error) {
	s.mu.Lock()
	defer s.unlock()
	st, err := s.storeIn(c, "DeleteCustomKeyStore", in.CustomKeyStoreId, connected, connecting, disconnecting, failed)
	if err != nil {
		return nil, err
	}
	for _, k := range s.keys {
		if k.store == st {
			return nil, refuse("CustomKeyStoreHasCMKsException", "The custom key store %s has KMS keys.", st.id)
		}
	}
	delete(s.stores, st.id)
	return &CustomKeyStoreResponse{}, nil
}
