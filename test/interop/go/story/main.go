// Command story plays a deployer and a monitor that use gorealis v2: a coordinated update from its start to
// its end. The scheduler's address comes from AURORA_URL and the protocol, json or binary, from the argument;
// the exit code is 1 when anything is not as it should be.
package main

import (
	"fmt"
	"os"
	"time"

	realis "github.com/paypal/gorealis/v2"
)

const callLimit = 10 * time.Second

var protocols = map[string]func() realis.ClientOption{
	"json":   realis.ThriftJSON,
	"binary": realis.ThriftBinary,
}

func main() {
	if len(os.Args) != 2 || protocols[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: story json|binary")
		os.Exit(2)
	}
	protocol := os.Args[1]
	fmt.Printf("over %s:\n", protocol)
	if err := run(os.Getenv("AURORA_URL"), protocol); err != nil {
		fmt.Fprintf(os.Stderr, "FAILED over %s: %v\n", protocol, err)
		os.Exit(1)
	}
}

func run(url, protocol string) error {
	api, err := realis.NewClient(
		realis.SchedulerUrl(url),
		protocols[protocol](),
		realis.Timeout(callLimit),
		// A call that fails is told at once: a second attempt could hide it.
		realis.BackOff(realis.Backoff{Steps: 1}),
		realis.SetLogger(realis.NoopLogger{}),
	)
	if err != nil {
		return err
	}
	defer api.Close()
	for _, chapter := range newStory(api, "gorealis-"+protocol).chapters() {
		fmt.Printf("- %s\n", chapter.title)
		if err := chapter.tell(); err != nil {
			return fmt.Errorf("%s: %w", chapter.title, err)
		}
	}
	return nil
}
