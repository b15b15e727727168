import type { RoutingControllersOptions } from 'routing-controllers';
import type { JsonSchema } from '../http/json-schema.js';
import type { JwtAllauth } from '../jwt-allauth.js';
import { appOperation } from './app-operation.js';
import { appRoutes, typesOf } from './app-routes.js';
import { KnownSchemas } from './known-schemas.js';
import { libraryOperation } from './library-operation.js';
import { type LibraryRoute, libraryRoutes } from './library-route.js';
import { librarySchemas } from './library-schemas.js';
import type { OpenApiDocument, OpenApiInfo, OpenApiOperation, OpenApiServer } from './open-api-document.js';
import { SchemaClosure } from './schema-closure.js';
import { securitySchemes } from './security-schemes.js';

/** The description of an API apart from its routes. */
export interface OpenApiOptions {
  readonly info: OpenApiInfo;
  readonly servers?: readonly OpenApiServer[];
  /** The app's own schemas, by the names that `@ResponseSchema('Name')` and `@OpenAPI` use. */
  readonly schemas?: Readonly<Record<string, JsonSchema>>;
}

/** The operations of one document, each with its path and its method in lower case. */
type Described = readonly { readonly path: string; readonly method: string; readonly operation: OpenApiOperation }[];

/**
 * Creates the OpenAPI document of one app: the library's routes under its settings, and the routes of the app's
 * controllers.
 *
 * @param served the result of `auth.serverOptions()`
 * @throws TypeError for options of another app, for a library route without a description, and if one name would mean
 * two schemas
 */
export function createOpenApiDocument(
  auth: JwtAllauth,
  served: RoutingControllersOptions,
  { info, servers, schemas = {} }: OpenApiOptions,
): OpenApiDocument {
  const controllers = (served.controllers ?? []) as unknown[];
  if (!auth.controllers.every((each) => controllers.includes(each))) {
    throw new TypeError('the options must be the result of auth.serverOptions()');
  }
  const library = libraryRoutes(auth.controllers);
  const known = new KnownSchemas(librarySchemas(library), schemas);
  const closure = new SchemaClosure(known);
  const app = controllers.filter((controller) => !auth.controllers.includes(controller as never));
  const prefix = `${served.routePrefix ?? ''}${auth.prefix}`;
  const described = withoutUnreachable(
    describeLibraryRoutes(library, prefix, auth),
    describeAppRoutes(app, served, known),
  ).map((each) => ({
    ...each,
    operation: closure.collect(each.operation),
  }));
  const paths = toPaths(described);
  return {
    openapi: '3.1.0',
    info,
    ...(servers && { servers }),
    paths,
    components: { schemas: closure.schemas(), securitySchemes: usedSchemes(library, described) },
  };
}

/** Describes the library's routes. */
function describeLibraryRoutes(routes: readonly LibraryRoute[], prefix: string, auth: JwtAllauth): Described {
  return routes.map((route) => {
    const path = `${prefix}${route.path}`.replace(/:(\w+)/g, '{$1}');
    return { path, method: route.method, operation: libraryOperation(route, auth) };
  });
}

function describeAppRoutes(
  controllers: readonly unknown[],
  served: RoutingControllersOptions,
  known: KnownSchemas,
): Described {
  return appRoutes(controllers, served).map(({ route, path, method }) => {
    const operation = appOperation(route, known.ofTypes(typesOf(route)));
    return { path, method, operation };
  });
}

/**
 * Removes operations that can never answer: of several routes for the same request the first one answers, and the app's
 * routes come before the library's.
 */
function withoutUnreachable(library: Described, app: Described): Described {
  const answered = new Set<string>();
  const isFirst = ({ method, path }: Described[number]) => {
    const requests = `${method} ${path.replace(/\{.*?\}/g, '{}')}`;
    return !answered.has(requests) && answered.add(requests);
  };
  const first = app.filter(isFirst);
  return [...library.filter(isFirst), ...first];
}

/** The operations by path and method. A repeated operation id gets a number. */
function toPaths(described: Described): OpenApiDocument['paths'] {
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  const ids = new Set<string>();
  for (const { path, method, operation } of described) {
    const methods = paths[path] ?? {};
    paths[path] = methods;
    let operationId = operation.operationId;
    for (let count = 2; ids.has(operationId); count++) operationId = `${operation.operationId}${count}`;
    ids.add(operationId);
    methods[method] = { ...operation, operationId };
  }
  return paths;
}

function usedSchemes(
  library: readonly LibraryRoute[],
  described: Described,
): OpenApiDocument['components']['securitySchemes'] {
  const used = new Set(described.flatMap(({ operation }) => (operation.security ?? []).flatMap(Object.keys)));
  const cookies = library.flatMap(({ description: { cookie } }) => (cookie ? [cookie] : []));
  return Object.fromEntries(Object.entries(securitySchemes(cookies)).filter(([name]) => used.has(name)));
}
