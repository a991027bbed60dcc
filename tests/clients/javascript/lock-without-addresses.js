// Leaves out of package-lock.json what is of no use to `npm ci`: where to give money to whom.
'use strict'

const fs = require('node:fs')

const lock = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'))
for (const entry of Object.values(lock.packages)) delete entry.funding
fs.writeFileSync('package-lock.json', JSON.stringify(lock, null, 2) + '\n')
