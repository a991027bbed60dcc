// Calls an official client as it is told: what to call comes in, what came of it goes out, one JSON object a line.
//
//     node driver.js FOLDER PACKAGE URL
//
// where the PACKAGE is installed in the FOLDER.
'use strict'

const { createRequire } = require('node:module')
const readline = require('node:readline')

const [folder, name, url] = process.argv.slice(2)
const { Client } = createRequire(`${folder}/`)(name)

let processWarnings = []
process.on('warning', (warning) => processWarnings.push(`${warning.name}: ${warning.message}`))

const clients = new Map() // by their options: connections stay open

function clientWith (options) {
  const key = JSON.stringify(options)
  if (!clients.has(key)) clients.set(key, new Client({ node: url, ...options }))
  return clients.get(key)
}

// The methods, with the parameters that each takes where the client knows them.
function describe () {
  const { connector } = clientWith({})
  const [symbol] = Object.getOwnPropertySymbols(connector)
  const methods = {}
  for (const method of Object.getOwnPropertyNames(Object.getPrototypeOf(connector))) {
    if (method === 'constructor') continue
    const accepted = symbol && connector[symbol][`connector.${method.replace(/[A-Z]/g, (c) => '_' + c.toLowerCase())}`]
    methods[method] = accepted ? [...(accepted.path ?? []), ...accepted.body, ...accepted.query] : null
  }
  return { methods }
}

async function call ({ method, parameters, clientOptions, options }) {
  try {
    const answer = await clientWith(clientOptions ?? {}).connector[method](parameters, { ...options, meta: true })
    const { statusCode, body, headers, warnings } = answer
    return { status: statusCode, body, headers, warnings }
  } catch (error) {
    if (error.meta === undefined) throw error // not an answer, but a mistake in this program
    const { name, message } = error
    return { error: name, message, status: error.statusCode, body: error.meta.body, headers: error.meta.headers }
  }
}

async function main () {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const task = JSON.parse(line)
    const result = task.describe ? describe() : await call(task)
    await new Promise(setImmediate) // warnings of the process come a moment later
    console.log(JSON.stringify({ ...result, processWarnings }))
    processWarnings = []
  }
  for (const client of clients.values()) await client.close()
}

main()
