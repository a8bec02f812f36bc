module interop

go 1.21

require (
	github.com/paypal/gorealis v1.21.0
	github.com/paypal/gorealis/v2 v2.21.0
)

require (
	github.com/apache/thrift v0.12.0 // indirect
	github.com/pkg/errors v0.0.0-20171216070316-e881fd58d78e // indirect
	github.com/samuel/go-zookeeper v0.0.0-20171117190445-471cd4e61d7a // indirect
)
