// The Kafka plugin: the provider that the official plugin bridges, under the names of the official SDK.
package main

import (
	"github.com/Mongey/terraform-provider-kafka/kafka"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"

	"toolchain/bridge"
)

// version is set by the build.
var version string

func main() {
	bridge.Serve("kafka", version, shimv2.NewProvider(kafka.Provider()), bridge.Renamed{
		Properties: map[string]map[string]string{
			"kafka_acl": {"resource_name": "aclResourceName", "resource_type": "aclResourceType"},
		},
	})
}
