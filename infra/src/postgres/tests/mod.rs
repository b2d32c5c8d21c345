mod breaking;
mod cluster;
mod connections;
mod encryption;
mod functions;
mod migrations;
mod schema;
mod upgrade;
