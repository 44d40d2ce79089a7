// Package bridge serves a Terraform provider as a Pulumi plugin, under the names of the official SDK.
package bridge

import (
	"encoding/json"
	"log"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	naming "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// Renamed holds the names of the SDK that do not follow from the provider's own ones, by Terraform name.
type Renamed struct {
	Resources   map[string]tokens.Type
	DataSources map[string]tokens.ModuleMember
	Properties  map[string]map[string]string // of each resource
}

// Serve runs the plugin until the engine ends it.
func Serve(name, version string, provider shim.Provider, renamed Renamed) {
	info := tfbridge.ProviderInfo{
		P: provider, Name: name, Version: version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		Resources:    map[string]*tfbridge.ResourceInfo{},
		DataSources:  map[string]*tfbridge.DataSourceInfo{},
	}
	for key, token := range renamed.Resources {
		info.Resources[key] = &tfbridge.ResourceInfo{Tok: token}
	}
	for key, token := range renamed.DataSources {
		info.DataSources[key] = &tfbridge.DataSourceInfo{Tok: token}
	}
	info.MustComputeTokens(naming.SingleModule(name+"_", "index", naming.MakeStandard(name)))
	info.MustApplyAutoAliases()
	for key, names := range renamed.Properties {
		fields := map[string]*tfbridge.SchemaInfo{}
		for field, property := range names {
			fields[field] = &tfbridge.SchemaInfo{Name: property}
		}
		info.Resources[key].Fields = fields
	}
	text, err := json.Marshal(packageSchema(info))
	if err != nil {
		log.Fatalf("%s: its schema cannot be written: %v", name, err)
	}
	tfbridge.Main(name, version, info, text)
}
