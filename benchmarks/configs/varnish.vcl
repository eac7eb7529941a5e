# Everything is stored for an hour: what a hit costs.
vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "@ORIGIN@";
}

sub vcl_backend_response {
    unset beresp.http.Set-Cookie;
    set beresp.ttl = 1h;
}
