package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// MaxPolicy is the largest policy document ParsePolicy reads, in bytes: what the API model of KMS
// allows. KMS itself refuses a key policy above 32 KiB.
const MaxPolicy = 128 << 10

// maxDepth bounds how deep a document nests; a policy needs five levels.
const maxDepth = 16

// readDocument reads one JSON document strictly: valid UTF-8, no key twice in an object, nothing
// behind it. encoding/json alone would take the last of two equal keys, and then two readers of one
// policy may disagree about who is let in.
func readDocument(text []byte) (any, error) {
	if len(text) > MaxPolicy {
		return nil, fmt.Errorf("policy is %d bytes long, more than %d", len(text), MaxPolicy)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("policy is not valid UTF-8")
	}
	if bytes.Contains(text, []byte(`\u0000`)) {
		return nil, errors.New("policy holds a NUL character") // see literal
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the policy's closing brace")
	}
	return v, nil
}

func readValue(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("policy is nested too deep")
	}
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("policy ends too early")
	}
	if err != nil {
		return nil, fmt.Errorf("policy is not JSON: %w", err)
	}
	switch t {
	case json.Delim('{'):
		return readObject(d, depth)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := readValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := closing(d)
		return list, err
	}
	return t, nil
}

func readObject(d *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("policy is not JSON: %w", err)
		}
		key, ok := t.(string)
		if !ok {
			return nil, errors.New("policy is not JSON: a key is not a string")
		}
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("policy has %q twice in one object", key)
		}
		if object[key], err = readValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := closing(d)
	return object, err
}

func closing(d *json.Decoder) (json.Token, error) {
	t, err := d.Token()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("policy ends too early")
	}
	if err != nil {
		return nil, fmt.Errorf("policy is not JSON: %w", err)
	}
	return t, nil
}

// texts returns the strings of a value that may be one string or a list of them.
func texts(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}

// scalars is texts for the values of a condition, where true and 5 may stand without quotes.
func scalars(v any) ([]string, bool) {
	one := func(v any) (string, bool) {
		switch v := v.(type) {
		case string:
			return v, true
		case bool:
			return fmt.Sprint(v), true
		case json.Number:
			return v.String(), true
		}
		return "", false
	}
	if s, ok := one(v); ok {
		return []string{s}, true
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		s, ok := one(e)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}
