package partiql

import (
	"errors"
	"math"
	"math/big"

	"loadkms/sandbox/ion"
)

const (
	// maxExponent bounds decimals that are calculated with: 1d2000000000 + 1 would write out two billion
	// digits. QLDB's decimals have 38 digits.
	maxExponent = 1000
	// precision is how many digits a quotient has at most: as QLDB's decimals.
	precision = 38
	// maxDigits is how many bytes the digits of a result have: within what ion.Decode reads.
	maxDigits = ion.MaxNumber - 8
)

var (
	errDivision = errors.New("Division by zero")
	errRange    = errors.New("A number is too large to calculate with")
)

// A rational is an int or a decimal: coefficient × 10^exponent.
type rational struct {
	coefficient *big.Int
	exponent    int64
	isInt       bool
}

func rationalOf(v ion.Value) (r rational, ok bool, err error) {
	if n, isInt := v.AsBigInt(); isInt {
		return rational{n, 0, true}, true, nil
	}
	c, e, ok := v.AsDecimal()
	if ok && (e > maxExponent || e < -maxExponent) {
		return r, true, errRange
	}
	return rational{c, int64(e), false}, ok, nil
}

func (r rational) value() ion.Value {
	if r.isInt {
		return ion.BigInt(r.coefficient)
	}
	return ion.Decimal(r.coefficient, int32(r.exponent))
}

// at returns the coefficient r has with a smaller exponent.
func (r rational) at(exponent int64) *big.Int {
	return new(big.Int).Mul(r.coefficient, power(r.exponent-exponent))
}

func power(n int64) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil) }

// calculate applies one of + - * / % to two numbers. It reports false if one of them is none. Two ints
// give an int (7 / 2 is 3), a float and anything gives a float, otherwise the result is a decimal.
func calculate(op string, a, b ion.Value) (v ion.Value, ok bool, err error) {
	if x, isInt := a.AsInt(); isInt {
		if y, isInt := b.AsInt(); isInt && x > -1<<31 && x < 1<<31 && y > -1<<31 && y < 1<<31 {
			switch op { // nearly always
			case "+":
				return ion.Int(x + y), true, nil
			case "-":
				return ion.Int(x - y), true, nil
			case "*":
				return ion.Int(x * y), true, nil
			}
		}
	}
	if a.Kind() == ion.KindFloat || b.Kind() == ion.KindFloat {
		x, isNumber := floatOf(a)
		y, also := floatOf(b)
		if !isNumber || !also {
			return v, false, nil
		}
		switch op {
		case "+":
			x += y
		case "-":
			x -= y
		case "*":
			x *= y
		case "/":
			x /= y
		default:
			x = math.Mod(x, y)
		}
		return ion.Float(x), true, nil
	}
	x, ok, err := rationalOf(a)
	if !ok || err != nil {
		return v, ok, err
	}
	y, ok, err := rationalOf(b)
	if !ok || err != nil {
		return v, ok, err
	}
	r, err := x.calculate(op, y)
	if err != nil {
		return v, true, err
	}
	if r.exponent > maxExponent || r.exponent < -maxExponent || r.coefficient.BitLen() > 8*maxDigits {
		return v, true, errRange
	}
	return r.value(), true, nil
}

func (r rational) calculate(op string, o rational) (rational, error) {
	both := r.isInt && o.isInt
	exponent := min(r.exponent, o.exponent)
	switch op {
	case "+":
		return rational{new(big.Int).Add(r.at(exponent), o.at(exponent)), exponent, both}, nil
	case "-":
		return rational{new(big.Int).Sub(r.at(exponent), o.at(exponent)), exponent, both}, nil
	case "*":
		if r.coefficient.BitLen()+o.coefficient.BitLen() > 8*maxDigits {
			return rational{}, errRange
		}
		return rational{new(big.Int).Mul(r.coefficient, o.coefficient), r.exponent + o.exponent, both}, nil
	}
	if o.coefficient.Sign() == 0 {
		return rational{}, errDivision
	}
	switch {
	case op == "%":
		return rational{new(big.Int).Rem(r.at(exponent), o.at(exponent)), exponent, both}, nil
	case both:
		return rational{new(big.Int).Quo(r.coefficient, o.coefficient), 0, true}, nil
	}
	return r.quotient(o), nil
}

// quotient divides to at most precision digits, rounding half up, without zeros behind the point.
func (r rational) quotient(o rational) rational {
	// Enough zeros behind r that the whole quotient has the digits and one to round by.
	digits := func(n *big.Int) int64 { return int64(len(new(big.Int).Abs(n).String())) }
	zeros := max(0, precision+1+digits(o.coefficient)-digits(r.coefficient))
	q := new(big.Int).Quo(new(big.Int).Mul(r.coefficient, power(zeros)), o.coefficient)
	exponent := r.exponent - o.exponent - zeros
	ten := big.NewInt(10)
	if over := digits(q) - precision; over > 0 && q.Sign() != 0 {
		half := new(big.Int).Mul(big.NewInt(5*int64(q.Sign())), power(over-1))
		q.Quo(q.Add(q, half), power(over))
		exponent += over
	}
	for exponent < 0 && q.Sign() != 0 {
		shorter, rest := new(big.Int).QuoRem(q, ten, new(big.Int))
		if rest.Sign() != 0 {
			break
		}
		q = shorter
		exponent++
	}
	if q.Sign() == 0 {
		exponent = 0
	}
	return rational{q, exponent, false}
}

func floatOf(v ion.Value) (float64, bool) {
	if f, ok := v.AsFloat(); ok {
		return f, true
	}
	r, ok, err := rationalOf(v)
	if !ok || err != nil {
		return 0, false
	}
	f, _ := new(big.Float).SetInt(r.coefficient).Float64()
	return f * math.Pow(10, float64(r.exponent)), true
}
