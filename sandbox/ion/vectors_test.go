package ion

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCommitDigests computes every commit digest that AWS's drivers sent when they were recorded.
func TestCommitDigests(t *testing.T) {
	b, err := os.ReadFile("testdata/commit-digest-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		TransactionId string
		Statements    []struct {
			Statement  string
			Parameters [][]byte `json:"Parameters_IonBinary_b64"`
		} `json:"statements"`
		CommitDigest []byte   `json:"CommitDigest_b64"`
		Client       []string `json:"client"`
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	if got, want := len(vectors), 20; got != want {
		t.Fatalf("%d vectors, want %d", got, want)
	}
	for _, v := range vectors {
		h := Hash(String(v.TransactionId))
		digest := h[:]
		for _, s := range v.Statements {
			h := Hash(String(s.Statement))
			statement := h[:]
			for _, p := range s.Parameters {
				value, err := Decode(p)
				if err != nil {
					t.Fatalf("%s: %v", s.Statement, err)
				}
				h := Hash(value)
				statement = Dot(statement, h[:])
			}
			digest = Dot(digest, statement)
		}
		if got, want := base64.StdEncoding.EncodeToString(digest), base64.StdEncoding.EncodeToString(v.CommitDigest); got != want {
			t.Errorf("%v %s: digest %s, want %s", v.Client, v.TransactionId, got, want)
		}
	}
}

// TestHashVectors compares with the hashes Amazon's own implementation gives to values of every kind.
func TestHashVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/ion-hash.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")[1:]
	if got, want := len(lines), 81; got != want {
		t.Fatalf("%d vectors, want %d", got, want)
	}
	for _, l := range lines {
		want, text, _ := strings.Cut(l, " ")
		v := decode(t, text)
		if got := fmt.Sprintf("%x", Hash(v)); got != want {
			t.Errorf("%s: hash %s, want %s", text, got, want)
		}
		again, err := Decode(v.Binary())
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := fmt.Sprintf("%x", Hash(again)); got != want {
			t.Errorf("%s in binary: hash %s, want %s", text, got, want)
		}
	}
}
