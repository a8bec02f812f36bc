package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"interop/aurora"
)

const (
	binaryType = "application/vnd.apache.thrift.binary"
	callLimit  = 10 * time.Second
)

// client is a Thrift client with the headers of gorealis.
type client struct {
	*aurora.AuroraAdminClient
	transport thrift.TTransport
}

func connect(url, protocol string) (*client, error) {
	options := thrift.THttpClientOptions{Client: &http.Client{Timeout: callLimit}}
	transport, err := thrift.NewTHttpClientWithOptions(url+"/api", options)
	if err != nil {
		return nil, err
	}
	headers := transport.(*thrift.THttpClient)
	headers.SetHeader("User-Agent", "aurora-shim interop")
	var factory thrift.TProtocolFactory
	switch protocol {
	case "json":
		// The library has set it already, and adds: it goes out twice, as gorealis sends it.
		headers.SetHeader("Content-Type", "application/x-thrift")
		factory = thrift.NewTJSONProtocolFactory()
	case "binary":
		headers.DelHeader("Content-Type")
		headers.SetHeader("Accept", binaryType)
		headers.SetHeader("Content-Type", binaryType)
		factory = thrift.NewTBinaryProtocolFactoryConf(&thrift.TConfiguration{})
	default:
		return nil, fmt.Errorf("there is no protocol %s", protocol)
	}
	return &client{aurora.NewAuroraAdminClientFactory(transport, factory), transport}, nil
}

func (c *client) close() {
	_ = c.transport.Close()
}

// answered checks a response for its code and its number of messages and returns its result, which is nil
// where there is none.
func answered(response *aurora.Response, err error, code aurora.ResponseCode, messages int) (*aurora.Result_, error) {
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, detail := range response.Details {
		texts = append(texts, detail.GetMessage())
	}
	if response.ResponseCode != code || len(texts) != messages {
		return nil, fmt.Errorf("answered %s with %d messages (%s), not %s with %d",
			response.ResponseCode, len(texts), strings.Join(texts, ", "), code, messages)
	}
	if name := response.ServerInfo.GetClusterName(); name != "devcluster" {
		return nil, fmt.Errorf("the cluster is %q", name)
	}
	return response.Result_, nil
}

// ok is answered for a plain OK.
func ok(response *aurora.Response, err error) (*aurora.Result_, error) {
	return answered(response, err, aurora.ResponseCode_OK, 0)
}
