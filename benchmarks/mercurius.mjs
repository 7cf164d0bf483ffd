// The question `creditStatus { uscc status knownAt }` under Mercurius with graphql-jit and pg, over the same tables.
import Fastify from 'fastify'
import mercurius from 'mercurius'
import pg from 'pg'

const { host, port, dbname, user, password } = JSON.parse(process.argv[2])
const pool = new pg.Pool({ host, port, database: dbname, user, password, max: 8 })

const STATUS = {
  name: 'status',
  text: `SELECT head.position, (
      SELECT changes.timeline FROM caseledger.credit_changes changes
      WHERE changes.uscc = $1 AND changes.position <= head.position ORDER BY changes.position DESC LIMIT 1
    ) AS timeline FROM caseledger.head`,
}

const schema = `
  scalar USCC
  scalar Position
  type CreditReport { uscc: USCC! status: String! knownAt: Position! }
  type Query { creditStatus(uscc: USCC!): CreditReport! }
`

const resolvers = {
  Query: {
    async creditStatus (_, { uscc }) {
      const { rows: [{ position, timeline }] } = await pool.query({ ...STATUS, values: [uscc] })
      const today = new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10)
      const span = (timeline ?? [[null, 'UNKNOWN']]).findLast(([begins]) => begins === null || begins <= today)
      return { uscc, status: span[1], knownAt: Number(position) }
    },
  },
}

const app = Fastify()
app.register(mercurius, { schema, resolvers, jit: 1 })
console.log('listening on', await app.listen({ port: 0, host: '127.0.0.1' }))
