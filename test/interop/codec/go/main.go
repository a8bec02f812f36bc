// Command codec is the other side in Go: reads structs that our codec wrote and writes them with Apache
// Thrift's library.
//
// Takes lines of JSON with a struct's name and its bytes in both protocols (base64), and answers each with the
// bytes the library makes of them, and whether both protocols gave the same values. run.sh makes the stubs and
// the table of structs (package stubs) from our IDL.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"codec/stubs"

	"github.com/apache/thrift/lib/go/thrift"
)

type question struct {
	Name   string `json:"name"`
	Binary []byte `json:"binary"`
	JSON   []byte `json:"json"`
}

type answer struct {
	Binary []byte `json:"binary"`
	JSON   []byte `json:"json"`
	Same   bool   `json:"same"`
}

type newProtocol func(thrift.TTransport) thrift.TProtocol

func binary(transport thrift.TTransport) thrift.TProtocol {
	return thrift.NewTBinaryProtocolConf(transport, &thrift.TConfiguration{
		TBinaryStrictRead:  thrift.BoolPtr(true),
		TBinaryStrictWrite: thrift.BoolPtr(true),
	})
}

func jsonProtocol(transport thrift.TTransport) thrift.TProtocol {
	return thrift.NewTJSONProtocol(transport)
}

func read(name string, protocol newProtocol, data []byte) (thrift.TStruct, error) {
	create := stubs.Structs[name]
	if create == nil {
		return nil, fmt.Errorf("the stubs have no %s", name)
	}
	struct_ := create()
	transport := thrift.NewTMemoryBufferLen(len(data))
	if _, err := transport.Write(data); err != nil {
		return nil, err
	}
	return struct_, struct_.Read(context.Background(), protocol(transport))
}

func write(struct_ thrift.TStruct, protocol newProtocol) ([]byte, error) {
	transport := thrift.NewTMemoryBuffer()
	out := protocol(transport)
	if err := struct_.Write(context.Background(), out); err != nil {
		return nil, err
	}
	err := out.Flush(context.Background())
	return transport.Bytes(), err
}

func answerTo(asked question) (answer, error) {
	fromBinary, err := read(asked.Name, binary, asked.Binary)
	if err != nil {
		return answer{}, fmt.Errorf("reads TBinary: %w", err)
	}
	fromJSON, err := read(asked.Name, jsonProtocol, asked.JSON)
	if err != nil {
		return answer{}, fmt.Errorf("reads TJSON: %w", err)
	}
	given := answer{Same: reflect.DeepEqual(fromBinary, fromJSON)}
	if given.Binary, err = write(fromBinary, binary); err != nil {
		return answer{}, fmt.Errorf("writes TBinary: %w", err)
	}
	if given.JSON, err = write(fromJSON, jsonProtocol); err != nil {
		return answer{}, fmt.Errorf("writes TJSON: %w", err)
	}
	return given, nil
}

func run() error {
	questions := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	for line := 1; questions.More(); line++ {
		var asked question
		if err := questions.Decode(&asked); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		given, err := answerTo(asked)
		if err != nil {
			return fmt.Errorf("line %d, %s: %w", line, asked.Name, err)
		}
		if err := answers.Encode(given); err != nil {
			return err
		}
	}
	return out.Flush()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
