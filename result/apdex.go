package result

import "time"

// An Apdex says how satisfied users are with the response time, as one number: a request that was served
// within Threshold satisfies, within four times as much it is tolerated, and anything slower, not good or
// dropped frustrates.
type Apdex struct {
	Threshold  time.Duration `json:"threshold"`
	Satisfied  uint64        `json:"satisfied"`
	Tolerated  uint64        `json:"tolerated"`
	Frustrated uint64        `json:"frustrated"`
	Score      float64       `json:"score"` // (satisfied + tolerated/2) ÷ all, from 0 to 1; 0 if there were none
}

// Scored returns a with its threshold and its score.
func (a Apdex) Scored(threshold time.Duration) Apdex {
	a.Threshold, a.Score = threshold, 0
	if all := a.Satisfied + a.Tolerated + a.Frustrated; all > 0 {
		a.Score = (float64(a.Satisfied) + float64(a.Tolerated)/2) / float64(all)
	}
	return a
}

// Rank returns the score as a word.
func (a Apdex) Rank() string {
	switch {
	case a.Score >= 0.94:
		return "excellent"
	case a.Score >= 0.85:
		return "good"
	case a.Score >= 0.70:
		return "fair"
	case a.Score >= 0.49:
		return "poor"
	}
	return "unacceptable"
}
