package main

import (
	"fmt"
	"strings"

	"interop/check"

	realis "github.com/paypal/gorealis/v2"
)

// lines keeps what the library logs.
type lines struct {
	realis.NoopLogger
	told *[]string
}

func (l lines) Printf(format string, values ...any) {
	*l.told = append(*l.told, strings.TrimSpace(fmt.Sprintf(format, values...)))
}

// addresses checks what the library makes of a scheduler's address. No connection is made for that.
func addresses() (string, error) {
	for given, wanted := range map[string]string{
		"goodurl.com":               "http://goodurl.com:8081/api",
		"http://goodurl.com:8081":   "http://goodurl.com:8081/api",
		"http://badurl.com/badpath": "",
	} {
		var told []string
		_, err := realis.NewClient(realis.SchedulerUrl(given), realis.SetLogger(lines{told: &told}))
		if wanted == "" {
			err = check.Refused(err, "expected /api path")
		} else if err == nil {
			err = check.Equal(given, told, []string{"gorealis clientConfig url: " + wanted})
		}
		if err != nil {
			return "", err
		}
	}
	return "WIRE-041 addresses are completed, or refused", nil
}
