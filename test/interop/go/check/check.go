// Package check compares what a client got with what it should get.
package check

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

const (
	limit     = 30 * time.Second
	pollEvery = 50 * time.Millisecond
)

// Equal wants the two to be deeply equal.
func Equal(what string, found, wanted any) error {
	if reflect.DeepEqual(found, wanted) {
		return nil
	}
	return fmt.Errorf("%s: %v, not %v", what, found, wanted)
}

// Refused wants an error that speaks of something.
func Refused(err error, of string) error {
	if err == nil {
		return fmt.Errorf("went well, where %q was to be complained of", of)
	}
	if IsTimeout(err) || !strings.Contains(err.Error(), of) {
		return fmt.Errorf("the error does not speak of %q: %w", of, err)
	}
	return nil
}

// IsTimeout tells whether a gorealis of either version gave up waiting, or ran out of tries.
func IsTimeout(err error) bool {
	waiter, ok := err.(interface{ Timedout() bool })
	return ok && waiter.Timedout()
}

// Until asks again and again, for half a minute at most.
func Until(what string, reached func() (bool, error)) error {
	for giveUp := time.Now().Add(limit); time.Now().Before(giveUp); time.Sleep(pollEvery) {
		if done, err := reached(); err != nil || done {
			return err
		}
	}
	return fmt.Errorf("waited %s in vain: %s", limit, what)
}
