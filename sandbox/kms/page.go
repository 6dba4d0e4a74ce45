package kms

import (
	"encoding/base64"
	"slices"
	"strings"
)

// markerPrefix keeps markers apart from names that somebody might pass for one.
const markerPrefix = "after:"

// paginate sorts all by name and returns the page that follows marker, of limit or usual entries,
// and the marker of the next page, "" after the last. A marker says after which name to go on, so it
// stays good when entries come and go.
func paginate[T any](all []T, name func(T) string, marker string, limit *int32, usual int) ([]T, string, *Error) {
	slices.SortFunc(all, func(a, b T) int {
		switch x, y := name(a), name(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	if marker != "" {
		after, ok := readMarker(marker)
		if !ok {
			return nil, "", refuse("InvalidMarkerException", "Could not deserialize marker '%s'", marker)
		}
		from := len(all)
		for i, e := range all {
			if name(e) > after {
				from = i
				break
			}
		}
		all = all[from:]
	}
	n := usual
	if limit != nil {
		n = int(*limit)
	}
	if len(all) <= n {
		return all, "", nil
	}
	return all[:n], writeMarker(name(all[n-1])), nil
}

func writeMarker(after string) string {
	return base64.StdEncoding.EncodeToString([]byte(markerPrefix + after))
}

func readMarker(marker string) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(marker)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(b), markerPrefix)
}
