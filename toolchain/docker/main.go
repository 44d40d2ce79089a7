// The Docker plugin: the provider that the official plugin bridges, under the names of the official SDK.
package main

import (
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/terraform-providers/terraform-provider-docker/shim"

	"toolchain/bridge"
)

// version is set by the build.
var version string

func main() {
	bridge.Serve("docker", version, shimv2.NewProvider(shim.NewProvider(version)), bridge.Renamed{
		Resources: map[string]tokens.Type{
			"docker_image":  "docker:index/remoteImage:RemoteImage",
			"docker_config": "docker:index/serviceConfig:ServiceConfig",
		},
		DataSources: map[string]tokens.ModuleMember{
			"docker_image": "docker:index/getRemoteImage:getRemoteImage",
		},
		Properties: map[string]map[string]string{
			"docker_container": {"command": "command", "networks_advanced": "networksAdvanced"},
		},
	})
}
