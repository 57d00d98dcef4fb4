/**
 * The Swagger document as protobuf, the only form in which kubectl up to 1.32 asks for it. The messages are those of
 * gnostic's OpenAPIv2.proto that are needed; field numbers as there.
 */
import protobuf from 'protobufjs'
import { stringify } from 'yaml'
import type { Schema } from './models.ts'
import type { Document2, Operation2, Parameter2 } from './v2.ts'

const messages = `
  syntax = "proto3";
  message Document { string swagger = 1; Info info = 2; Paths paths = 8; Definitions definitions = 9; }
  message Info { string title = 1; string version = 2; }
  message Paths { repeated NamedPathItem path = 2; }
  message NamedPathItem { string name = 1; PathItem value = 2; }
  message PathItem { Operation get = 2; Operation put = 3; Operation post = 4; Operation delete = 5; Operation patch = 8; }
  message Operation {
    string operation_id = 5; repeated string produces = 6; repeated string consumes = 7;
    repeated ParametersItem parameters = 8; Responses responses = 9; repeated NamedAny vendor_extension = 13;
  }
  message ParametersItem { Parameter parameter = 1; }
  message Parameter { BodyParameter body_parameter = 1; NonBodyParameter non_body_parameter = 2; }
  message BodyParameter { string description = 1; string name = 2; string in = 3; bool required = 4; Schema schema = 5; }
  message NonBodyParameter { QueryParameter query_parameter_sub_schema = 3; PathParameter path_parameter_sub_schema = 4; }
  message QueryParameter { bool required = 1; string in = 2; string description = 3; string name = 4; string type = 6; }
  message PathParameter { bool required = 1; string in = 2; string description = 3; string name = 4; string type = 5; }
  message Responses { repeated NamedResponseValue response_code = 1; }
  message NamedResponseValue { string name = 1; ResponseValue value = 2; }
  message ResponseValue { Response response = 1; }
  message Response { string description = 1; SchemaItem schema = 2; }
  message SchemaItem { Schema schema = 1; }
  message Definitions { repeated NamedSchema additional_properties = 1; }
  message NamedSchema { string name = 1; Schema value = 2; }
  message Schema {
    string _ref = 1; string format = 2; string description = 4; repeated string required = 19;
    AdditionalPropertiesItem additional_properties = 21; TypeItem type = 22; ItemsItem items = 23;
    Properties properties = 25; repeated NamedAny vendor_extension = 31;
  }
  message AdditionalPropertiesItem { Schema schema = 1; }
  message TypeItem { repeated string value = 1; }
  message ItemsItem { repeated Schema schema = 1; }
  message Properties { repeated NamedSchema additional_properties = 1; }
  message NamedAny { string name = 1; Any value = 2; }
  message Any { string yaml = 2; }
`

type Message = Readonly<Record<string, unknown>>

/** The names under which clients ask for this form. */
export const protoTypes = [
  'application/com.github.proto-openapi.spec.v2@v1.0+protobuf',
  'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
] as const

export function encodeSwagger(document: Document2): Uint8Array {
  const type = protobuf.parse(messages, { keepCase: true }).root.lookupType('Document')
  const path = Object.entries(document.paths).map(([name, item]) => {
    const value = Object.fromEntries(Object.entries(item).map(([method, operation]) => [method, operationMessage(operation)]))
    return { name, value }
  })
  const { swagger, info, definitions } = document
  return type.encode(type.fromObject({ swagger, info, paths: { path }, definitions: namedSchemas(definitions) })).finish()
}

function operationMessage(operation: Operation2): Message {
  const responses = Object.entries(operation.responses).map(([name, { description, schema }]) => ({
    name,
    value: { response: { description, ...(schema && { schema: { schema: schemaMessage(schema) } }) } },
  }))
  return {
    operation_id: operation.operationId,
    produces: operation.produces,
    consumes: operation.consumes,
    parameters: operation.parameters.map((parameter) => ({ parameter: parameterMessage(parameter) })),
    responses: { response_code: responses },
    vendor_extension: extensionsOf(operation),
  }
}

function parameterMessage({ schema, ...parameter }: Parameter2): Message {
  if (parameter.in === 'body') return { body_parameter: { ...parameter, ...(schema && { schema: schemaMessage(schema) }) } }
  return { non_body_parameter: { [`${parameter.in}_parameter_sub_schema`]: parameter } }
}

function namedSchemas(schemas: Readonly<Record<string, Schema>>): Message {
  return { additional_properties: Object.entries(schemas).map(([name, schema]) => ({ name, value: schemaMessage(schema) })) }
}

function schemaMessage(schema: Schema): Message {
  const { $ref, format, description, required, additionalProperties, type, items, properties } = schema
  return {
    ...($ref !== undefined && { _ref: $ref }),
    ...(format !== undefined && { format }),
    ...(description !== undefined && { description }),
    ...(required && { required }),
    ...(additionalProperties && { additional_properties: { schema: schemaMessage(additionalProperties) } }),
    ...(type && { type: { value: [type] } }),
    ...(items && { items: { schema: [schemaMessage(items)] } }),
    ...(properties && { properties: namedSchemas(properties) }),
    vendor_extension: extensionsOf(schema),
  }
}

/** The `x-` fields, whose values this format carries as YAML. */
function extensionsOf(of: object): readonly Message[] {
  const all = Object.entries(of).filter(([name]) => name.startsWith('x-'))
  return all.map(([name, value]) => ({ name, value: { yaml: stringify(value) } }))
}
