package bridge

import (
	"strings"

	"github.com/pulumi/inflector"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// object is a JSON object of the Pulumi package schema.
type object = map[string]any

// generator collects the object types that the properties refer to.
type generator struct {
	module string
	types  object
}

// packageSchema describes every resource and function of the plugin: what `pulumi import` writes code from,
// and what the tests compare with the SDK. Descriptions are left out: nobody reads them here.
func packageSchema(info tfbridge.ProviderInfo) object {
	g := &generator{module: info.Name + ":index/", types: object{}}
	resources, functions := object{}, object{}
	info.P.ResourcesMap().Range(func(key string, resource shim.Resource) bool {
		if named := info.Resources[key]; named != nil {
			resources[string(named.Tok)] = g.resource(memberOf(string(named.Tok)), resource, named.Fields)
		}
		return true
	})
	info.P.DataSourcesMap().Range(func(key string, source shim.Resource) bool {
		if named := info.DataSources[key]; named != nil {
			functions[string(named.Tok)] = g.function(memberOf(string(named.Tok)), source)
		}
		return true
	})
	settings, required, _ := g.properties("Provider", info.P.Schema(), nil, settable)
	return object{
		"name": info.Name, "version": info.Version,
		// The middle part of a token names a file, not a module: `docker:index/container:Container`.
		"meta":  object{"moduleFormat": "(.*)(?:/[^/]*)"},
		"types": g.types, "resources": resources, "functions": functions,
		"provider": object{"inputProperties": settings, "requiredInputs": required},
	}
}

func (g *generator) resource(name string, resource shim.Resource, renamed map[string]*tfbridge.SchemaInfo) object {
	// The engine knows every resource by its id, so `id` is no property of a resource.
	known := func(key string, field shim.Schema) bool { return key != "id" }
	inputs, requiredInputs, _ := g.properties(name, resource.Schema(), renamed,
		func(key string, field shim.Schema) bool { return known(key, field) && settable(key, field) })
	outputs, _, always := g.properties(name, resource.Schema(), renamed, known)
	return object{
		"inputProperties": inputs, "requiredInputs": requiredInputs, "properties": outputs, "required": always,
	}
}

func (g *generator) function(name string, source shim.Resource) object {
	inputs, required, _ := g.properties(name, source.Schema(), nil, settable)
	outputs, _, _ := g.properties(name, source.Schema(), nil, everything)
	return object{
		"inputs":  object{"type": "object", "properties": inputs, "required": required},
		"outputs": object{"type": "object", "properties": outputs},
	}
}

func settable(_ string, field shim.Schema) bool {
	return field.Required() || field.Optional() || !field.Computed()
}

func everything(string, shim.Schema) bool { return true }

// properties returns the properties that keep selects, the names of the required ones among them, and of
// those that are always there once the resource exists.
func (g *generator) properties(
	owner string, fields shim.SchemaMap, renamed map[string]*tfbridge.SchemaInfo,
	keep func(string, shim.Schema) bool,
) (properties object, required, always []string) {
	properties = object{}
	fields.Range(func(key string, field shim.Schema) bool {
		if field.Removed() != "" || !keep(key, field) {
			return true
		}
		name := tfbridge.TerraformToPulumiNameV2(key, fields, renamed)
		property := g.typeOf(owner+upperFirst(name), field)
		if field.Sensitive() {
			property["secret"] = true
		}
		properties[name] = property
		if field.Required() {
			required = append(required, name)
		}
		if field.Required() || field.Computed() && !field.Optional() {
			always = append(always, name)
		}
		return true
	})
	return properties, required, always
}

func (g *generator) typeOf(name string, field shim.Schema) object {
	switch field.Type() {
	case shim.TypeBool:
		return object{"type": "boolean"}
	case shim.TypeInt:
		return object{"type": "integer"}
	case shim.TypeFloat:
		return object{"type": "number"}
	case shim.TypeString:
		return object{"type": "string"}
	case shim.TypeMap:
		return object{"type": "object", "additionalProperties": g.element(name, field)}
	case shim.TypeList, shim.TypeSet:
		if tfbridge.IsMaxItemsOne(field, nil) {
			return g.element(name, field)
		}
		return object{"type": "array", "items": g.element(inflector.Singularize(name), field)}
	default:
		return object{"$ref": "pulumi.json#/Any"}
	}
}

func (g *generator) element(name string, field shim.Schema) object {
	switch element := field.Elem().(type) {
	case shim.Schema:
		return g.typeOf(name, element)
	case shim.Resource:
		token := g.module + name + ":" + name
		if _, known := g.types[token]; !known {
			properties, required, _ := g.properties(name, element.Schema(), nil, everything)
			g.types[token] = object{"type": "object", "properties": properties, "required": required}
		}
		return object{"$ref": "#/types/" + strings.ReplaceAll(token, "/", "%2F")}
	default: // an untyped map is one of strings in Terraform
		return object{"type": "string"}
	}
}

func memberOf(token string) string { return upperFirst(token[strings.LastIndex(token, ":")+1:]) }

func upperFirst(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
