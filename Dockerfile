# The reference endpoint of a provider as a mock for clients: docker run -p 8080:8080 IMAGE [PROVIDER] [OPTIONS]
FROM python:3.12-slim

COPY . /source
RUN pip install --no-cache-dir /source && rm -r /source

RUN useradd --create-home mock
USER mock
WORKDIR /home/mock

# Inside a container loopback is nobody's; what is reachable from outside is decided by -p.
ENV CONFORMANCE_HOST=0.0.0.0 PYTHONUNBUFFERED=1
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/_control')"]
ENTRYPOINT ["conformance", "serve"]
CMD ["sendcloud", "--port=8080"]
