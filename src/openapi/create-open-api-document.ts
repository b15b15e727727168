import type { RoutingControllersOptions } from 'routing-controllers';
import type { ErrorTable } from '../error-table.js';
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

/** What an app says of its API beside its routes. */
export interface OpenApiOptions {
  readonly info: OpenApiInfo;
  readonly servers?: readonly OpenApiServer[];
  /** Schemas of the app's own, by the names under which `@ResponseSchema('Name')` and `@OpenAPI` refer to them. */
  readonly schemas?: Readonly<Record<string, JsonSchema>>;
}

/** Operations of one document, each with its path and its method in lower case. */
type Described = readonly { readonly path: string; readonly method: string; readonly operation: OpenApiOperation }[];

/**
 * Describes the API of one app: our routes as its settings want them, and those of its own controllers.
 *
 * @param served what `auth.serverOptions()` returned
 * @throws TypeError for options of another app, for an undescribed route of ours, and where one name would mean two
 * schemas
 */
export function createOpenApiDocument(
  auth: JwtAllauth,
  served: RoutingControllersOptions,
  { info, servers, schemas = {} }: OpenApiOptions,
): OpenApiDocument {
  const controllers = (served.controllers ?? []) as unknown[];
  if (!auth.controllers.every((own) => controllers.includes(own))) {
    throw new TypeError('the options must be what auth.serverOptions() returned');
  }
  const own = libraryRoutes(auth.controllers);
  const known = new KnownSchemas(librarySchemas(own), schemas);
  const closure = new SchemaClosure(known);
  const others = controllers.filter((controller) => !auth.controllers.includes(controller as never));
  const prefix = `${served.routePrefix ?? ''}${auth.prefix}`;
  const described = answering(describeOwn(own, prefix, auth.errors), describeOthers(others, served, known)).map(
    (each) => ({
      ...each,
      operation: closure.take(each.operation),
    }),
  );
  const paths = toPaths(described);
  return {
    openapi: '3.1.0',
    info,
    ...(servers && { servers }),
    paths,
    components: { schemas: closure.schemas(), securitySchemes: usedSchemes(own, described) },
  };
}

/** Our routes, as they describe themselves. */
function describeOwn(routes: readonly LibraryRoute[], prefix: string, errors: ErrorTable): Described {
  return routes.map((route) => {
    const path = `${prefix}${route.path}`.replace(/:(\w+)/g, '{$1}');
    return { path, method: route.method, operation: libraryOperation(route, errors) };
  });
}

function describeOthers(
  controllers: readonly unknown[],
  served: RoutingControllersOptions,
  known: KnownSchemas,
): Described {
  return appRoutes(controllers, served).map(({ route, path, method }) => {
    const operation = appOperation(route, known.ofTypes(typesOf(route)));
    return { path, method, operation };
  });
}

/** Without those that never answer: of routes for the same requests the first does, and the app's come before ours. */
function answering(own: Described, others: Described): Described {
  const answered = new Set<string>();
  const isFirst = ({ method, path }: Described[number]) => {
    const requests = `${method} ${path.replace(/\{.*?\}/g, '{}')}`;
    return !answered.has(requests) && answered.add(requests);
  };
  const first = others.filter(isFirst);
  return [...own.filter(isFirst), ...first];
}

/** By path and method. Ids that stand twice get a number. */
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
  own: readonly LibraryRoute[],
  described: Described,
): OpenApiDocument['components']['securitySchemes'] {
  const used = new Set(described.flatMap(({ operation }) => (operation.security ?? []).flatMap(Object.keys)));
  const cookies = own.flatMap(({ description: { cookie } }) => (cookie ? [cookie] : []));
  return Object.fromEntries(Object.entries(securitySchemes(cookies)).filter(([name]) => used.has(name)));
}
