//! The table of all routes.

use super::{
    auth, config, displays, events, logs, metrics, openapi, page, processes, schedule, system,
    tokens,
};
use crate::auth::Needs;
use crate::http::context::Api;
use crate::http::error::Error;
use crate::http::future::BoxFuture;
use crate::http::reply::{ApiRequest, Reply};
use crate::http::ui;
use std::rc::Rc;

/// One method of one path.
#[derive(Debug)]
pub struct Route {
    /// The method; GET includes HEAD.
    pub method: &'static str,
    /// The path; `{id}` stands for one segment.
    pub path: &'static str,
    /// What it requires of its caller.
    pub needs: Needs,
    /// The status codes of the route itself. Errors that the server returns before it calls a route are the same for
    /// all, and not listed.
    pub answers: &'static [u16],
    handler: Handler,
}

type Handler = for<'a> fn(&'a Rc<Api>, ApiRequest<'a>) -> BoxFuture<'a, Result<Reply, Error>>;

macro_rules! routes {
    ($($method:ident $path:literal $needs:ident $answers:tt $handler:path;)*) => {
        &[$(Route {
            method: stringify!($method),
            path: $path,
            needs: Needs::$needs,
            answers: &$answers,
            handler: |api, request| Box::pin($handler(api, request)),
        }),*]
    };
}

/// All routes.
#[rustfmt::skip]
pub static ROUTES: &[Route] = routes! {
    GET    "/api/processes"                   View    [200]                          processes::list;
    POST   "/api/processes"                   Admin   [201, 400, 409, 422, 503]      processes::create;
    GET    "/api/processes/{id}"              View    [200, 404]                     processes::show;
    PUT    "/api/processes/{id}"              Admin   [200, 400, 404, 409, 412, 422, 503] processes::change;
    DELETE "/api/processes/{id}"              Admin   [204, 404, 409, 422, 503]      processes::delete;
    POST   "/api/processes/{id}/start"        Operate [202, 404, 409, 503]           processes::start;
    POST   "/api/processes/{id}/stop"         Operate [202, 404, 503]                processes::stop;
    POST   "/api/processes/{id}/restart"      Operate [202, 404, 409, 503]           processes::restart;
    POST   "/api/processes/{id}/reload"       Operate [202, 404, 409, 503]           page::reload;
    POST   "/api/processes/{id}/navigate"     Operate [200, 400, 403, 404, 409, 422, 503] page::navigate;
    GET    "/api/processes/{id}/screenshot"   View    [200, 404, 409, 422, 503]      page::screenshot;
    GET    "/api/processes/{id}/evidence"     View    [200, 404, 503]                page::evidence;
    GET    "/api/processes/{id}/logs"         Operate [200, 404, 422, 503]           logs::show;
    GET    "/api/processes/{id}/logs/stream"  Operate [200, 404, 422, 503]           logs::stream;
    GET    "/api/displays"                    View    [200]                          displays::list;
    POST   "/api/displays/{id}/power"         Operate [202, 400, 404, 409, 422, 503] displays::switch_power;
    GET    "/api/behaviors"                   View    [200, 304]                     config::show_behaviors;
    PUT    "/api/behaviors"                   Admin   [200, 400, 409, 412, 422, 503] config::replace_behaviors;
    GET    "/api/schedule"                    View    [200, 304]                     config::show_schedule;
    PUT    "/api/schedule"                    Admin   [200, 400, 409, 412, 422, 503] config::replace_schedule;
    GET    "/api/schedule/next"               View    [200, 422, 503]                schedule::next;
    GET    "/api/schedule/record"             View    [200]                          schedule::record;
    POST   "/api/schedule/rules/{id}/run"     Operate [202, 404, 503]                schedule::run;
    GET    "/api/config"                      Admin   [200, 304]                     config::show;
    PUT    "/api/config"                      Admin   [200, 400, 409, 412, 422, 503] config::replace;
    POST   "/api/reload"                      Admin   [202, 409, 422, 503]           config::reload;
    POST   "/api/upgrade"                     Admin   [202, 409, 503]                system::upgrade;
    GET    "/api/status"                      View    [200]                          system::status;
    GET    "/api/system"                      View    [200]                          system::system;
    GET    "/api/events"                      View    [200, 503]                     events::stream;
    GET    "/api/claim"                       Nothing [200]                          auth::show_claim;
    POST   "/api/claim"                       Nothing [200, 400, 401, 409, 422, 429, 503] auth::claim;
    POST   "/api/login"                       Nothing [200, 400, 401, 422, 429, 503] auth::login;
    POST   "/api/logout"                      View    [204]                          auth::logout;
    PUT    "/api/password"                    Admin   [204, 400, 401, 422, 429, 503] auth::set_password;
    DELETE "/api/password"                    Local   [200, 503]                     auth::reset;
    GET    "/api/sessions"                    Admin   [200]                          auth::list;
    DELETE "/api/sessions/{id}"               Admin   [204, 404]                     auth::end;
    GET    "/api/tokens"                      Admin   [200]                          tokens::list;
    POST   "/api/tokens"                      Admin   [201, 400, 401, 422, 429, 503] tokens::create;
    DELETE "/api/tokens/{id}"                 Admin   [204, 404, 503]                tokens::delete;
    GET    "/api/openapi.json"                View    [200, 304]                     openapi::show;
    GET    "/healthz"                         Nothing [200, 503]                     system::health;
    GET    "/metrics"                         View    [200]                          metrics::show;
    GET    "/"                                Nothing [200, 304]                     ui::index;
    GET    "/page/{id}"                       Nothing [200, 304, 404]                ui::file;
};

impl Route {
    /// Calls the handler.
    pub(in crate::http) async fn answer<'a>(
        &self,
        api: &'a Rc<Api>,
        request: ApiRequest<'a>,
    ) -> Result<Reply, Error> {
        (self.handler)(api, request).await
    }

    /// The segment in the place of `{id}`, if the path matches; empty for a route without one.
    fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some((before, after)) = self.path.split_once("{id}") else {
            return (self.path == path).then_some("");
        };
        let id = path.strip_prefix(before)?.strip_suffix(after)?;
        (!id.is_empty() && !id.contains('/')).then_some(id)
    }
}

/// The result of a lookup.
#[derive(Debug)]
pub(in crate::http) enum Found<'p> {
    /// A route, and the segment in the place of `{id}`.
    Route(&'static Route, &'p str),
    /// The path exists, with these methods only.
    Methods(String),
    /// The path does not exist.
    Nothing,
}

/// Looks up a method and a path.
pub(in crate::http) fn find<'p>(method: &str, path: &'p str) -> Found<'p> {
    let wanted = if method == "HEAD" { "GET" } else { method };
    let mut allow = String::new();
    for route in ROUTES {
        let Some(id) = route.matches(path) else {
            continue;
        };
        if route.method == wanted {
            return Found::Route(route, id);
        }
        allow.push_str(route.method);
        allow.push_str(if route.method == "GET" {
            ", HEAD, "
        } else {
            ", "
        });
    }
    if allow.is_empty() {
        return Found::Nothing;
    }
    allow.push_str("OPTIONS");
    Found::Methods(allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> String {
        match find(method, path) {
            Found::Route(route, id) => format!("{} {} {id}", route.method, route.path),
            Found::Methods(allow) => allow,
            Found::Nothing => "nothing".into(),
        }
    }

    #[test]
    fn a_path_matches_its_route_only() {
        assert_eq!(found("GET", "/"), "GET / ");
        assert_eq!(found("HEAD", "/healthz"), "GET /healthz ");
        assert_eq!(
            found("PUT", "/api/processes/a"),
            "PUT /api/processes/{id} a"
        );
        assert_eq!(
            found("GET", "/api/processes/a/logs/stream"),
            "GET /api/processes/{id}/logs/stream a"
        );
        for path in [
            "/api",
            "/api/",
            "/api/processes/",
            "/api/processes/a/",
            "//",
            "/x",
        ] {
            assert_eq!(found("GET", path), "nothing", "{path}");
        }
        for path in [
            "/api/processes//start",
            "/api/processes/a/b/start",
            "/api/processes/start/",
        ] {
            assert_eq!(found("POST", path), "nothing", "{path}");
        }
    }

    #[test]
    fn an_unknown_method_gets_the_allowed_ones() {
        assert_eq!(
            found("PATCH", "/api/processes/a"),
            "GET, HEAD, PUT, DELETE, OPTIONS"
        );
        assert_eq!(found("GET", "/api/reload"), "POST, OPTIONS");
    }

    #[test]
    fn changes_need_more_than_the_role_view() {
        // Claiming and signing in: they need a code or a password, or change nothing.
        let ways_in = ["/api/claim", "/api/login", "/api/logout"];
        for route in ROUTES {
            if route.method != "GET" && !ways_in.contains(&route.path) {
                assert!(route.needs >= Needs::Operate, "{route:?}");
            }
        }
    }

    /// The complete list of what an anonymous client can reach.
    #[test]
    fn anonymous_clients_reach_only_the_sign_in() {
        let open: Vec<String> = (ROUTES.iter())
            .filter(|route| route.needs == Needs::Nothing)
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        assert_eq!(
            open,
            [
                "GET /api/claim",
                "POST /api/claim",
                "POST /api/login",
                "GET /healthz",
                "GET /",
                "GET /page/{id}"
            ]
        );
    }
}
