// Command methods1 calls each public method of a gorealis v1 client and of its Monitor, once so that it can succeed and once so
// that it can't, and prints what came back. The scheduler's address comes from AURORA_URL, the protocol and
// which part of the methods (caller.parts) from the arguments; the exit code is 1 when anything deviates.
package main

import (
	"fmt"
	"os"
	"reflect"

	"interop/check"

	realis "github.com/paypal/gorealis"
)

var protocols = map[string]func() realis.ClientOption{
	"json":   realis.ThriftJSON,
	"binary": realis.ThriftBinary,
}

func main() {
	if len(os.Args) != 3 || protocols[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: methods1 json|binary jobs|hosts")
		os.Exit(2)
	}
	problems, err := run(os.Getenv("AURORA_URL"), os.Args[1], os.Args[2])
	if err != nil {
		problems = append(problems, err.Error())
	}
	for _, problem := range problems {
		fmt.Fprintln(os.Stderr, "FAILED:", problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

func newClient(url, protocol string) (realis.Realis, error) {
	return realis.NewRealisClient(
		realis.SchedulerUrl(url),
		protocols[protocol](),
		realis.TimeoutMS(10_000),
		// A call that fails is told at once: a second attempt could hide it.
		realis.BackOff(realis.Backoff{Steps: 1}),
		realis.SetLogger(realis.NoopLogger{}),
	)
}

func run(url, protocol, part string) ([]string, error) {
	api, err := newClient(url, protocol)
	if err != nil {
		return nil, err
	}
	other, err := newClient(url, protocol)
	if err != nil {
		return nil, err
	}
	defer other.Close()
	caller := newCaller(api, other, "gorealis1-"+protocol)
	client, monitor := reflect.TypeOf((*realis.Realis)(nil)).Elem(), reflect.TypeOf(caller.monitor)
	return check.Run("gorealis v1 over "+protocol, caller.parts(), part, client, monitor), nil
}
